/* names.c: open addressing, at most half full. */
#include "names.h"

#include <stdlib.h>
#include <string.h>

#include "random.h"

static struct name_slot *slot_of(const struct names *names, const char *name)
{
    size_t at = random_hash_text(name) & (names->room - 1);
    while (names->slots[at].name && strcmp(names->slots[at].name, name))
        at = (at + 1) & (names->room - 1);
    return &names->slots[at];
}

static bool grow(struct names *names)
{
    struct names grown = {.room = names->room ? names->room * 2 : 64, .count = names->count};
    grown.slots = calloc(grown.room, sizeof *grown.slots);
    if (!grown.slots)
        return false;
    for (size_t i = 0; i < names->room; i++)
        if (names->slots[i].name)
            *slot_of(&grown, names->slots[i].name) = names->slots[i];
    free(names->slots);
    *names = grown;
    return true;
}

bool names_set(struct names *names, const char *name, int number)
{
    if (names->count * 2 >= names->room && !grow(names))
        return false;
    struct name_slot *slot = slot_of(names, name);
    if (!slot->name && (slot->name = strdup(name)))
        names->count++;
    slot->number = number;
    return slot->name != NULL;
}

bool names_find(const struct names *names, const char *name, int *out)
{
    if (!names->room)
        return false;
    const struct name_slot *slot = slot_of(names, name);
    if (slot->name)
        *out = slot->number;
    return slot->name;
}

void names_clear(struct names *names)
{
    for (size_t i = 0; i < names->room; i++)
        free(names->slots[i].name);
    free(names->slots);
    *names = (struct names){0};
}
