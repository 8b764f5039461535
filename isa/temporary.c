/* temporary.c: what lies aside while it is written, and must not outlive a process that a signal ends. */
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "weft_isa.h"

/* The one mutable global of the house, as the signals of a process are: names by slots. Whoever takes a name out of its slot has it; so a
 * handler and the thread that it interrupts never both do. */
enum { SLOTS = 256 };
static struct slot {
    _Atomic(char *) path;
    _Atomic pid_t owner; /* a child has the names of its parent, and must leave them alone */
} slots[SLOTS];
static atomic_bool ending;

void weft_temporary_add(char *path)
{
    for (size_t i = 0; i < SLOTS; i++) {
        char *none = NULL;
        if (atomic_compare_exchange_strong(&slots[i].path, &none, path)) {
            atomic_store(&slots[i].owner, getpid());
            return;
        }
    } /* with all slots taken nobody removes it: no reason not to write */
}

bool weft_temporary_forget(char *path)
{
    for (size_t i = 0; i < SLOTS; i++) {
        char *there = path;
        if (atomic_compare_exchange_strong(&slots[i].path, &there, NULL))
            return true;
    }
    return !atomic_load(&ending);
}

void weft_temporaries_remove(void)
{
    atomic_store(&ending, true);
    for (size_t i = SLOTS; i-- > 0;) { /* what came last goes first: a folder behind what lies in it */
        char *path = atomic_load(&slots[i].owner) == getpid() ? atomic_exchange(&slots[i].path, NULL) : NULL;
        if (path && unlink(path))
            rmdir(path);
    }
}
