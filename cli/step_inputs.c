/* step_inputs.c: what one step of a language model is given beside its keys and values, by the inputs' names. */
#include "step_inputs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t element_bytes_of(const char *element)
{
    return strstr(element, "64") ? 8 : strstr(element, "32") ? 4 : strstr(element, "16") ? 2 : 1;
}

static bool is_float(const char *element)
{
    return strstr(element, "float");
}

static double element_at(const struct weft_array *array, uint64_t i)
{
    uint64_t wide = element_bytes_of(array->element), beyond = 64 - 8 * wide;
    const uint8_t *from = (const uint8_t *)array->bytes + i * wide;
    uint64_t bits = 0;
    float real = 0;
    memcpy(&bits, from, wide);
    if (is_float(array->element)) {
        memcpy(&real, from, sizeof real);
        return real;
    }
    return *array->element == 'i' ? (double)((int64_t)(bits << beyond) >> beyond) : (double)bits;
}

static void set_element(struct weft_array *array, uint64_t i, double value)
{
    uint64_t wide = element_bytes_of(array->element);
    float real = (float)value;
    int64_t whole = (int64_t)value;
    memcpy((uint8_t *)array->bytes + i * wide, is_float(array->element) ? (const void *)&real : (const void *)&whole, wide);
}

static uint64_t columns_of(const struct weft_array *array)
{
    return array->rank ? array->dims[array->rank - 1] : 1;
}

static uint64_t rows_of(const struct weft_array *array)
{
    uint64_t rows = 1;
    for (unsigned d = 0; d + 1 < array->rank; d++)
        rows *= array->dims[d];
    return rows;
}

/* What the prompt was given under this name. NULL: nothing, or it was made up. */
static const struct weft_array *of_prompt(const struct step *s, const char *name)
{
    for (size_t i = 0; i < s->given->count; i++)
        if (s->given->items[i].name && !strcmp(s->given->items[i].name, name))
            return &s->given->items[i];
    return NULL;
}

/* Where the prompt's row begins that a step's row goes on from. A mask of [.., tokens, tokens] goes on from its last token's row; one row does for all. */
static enum weft_status row_of_prompt(const struct step *s, uint64_t *out, const struct weft_array *prompt, const struct weft_array *now, uint64_t row)
{
    uint64_t before = rows_of(prompt), rows = rows_of(now), each = before / rows;
    if (columns_of(prompt) != s->prompt)
        return weft_error(s->diag, "%s: input '%s' goes on from the prompt's, whose last dimension is %llu; one element for each of its %llu tokens is right", s->file,
                          now->name, (unsigned long long)columns_of(prompt), (unsigned long long)s->prompt);
    if (is_float(prompt->element) && strcmp(prompt->element, "float32"))
        return weft_error(s->diag, "%s: input '%s' was given to the prompt as %s; a step goes on from float32 or from integers", s->file, now->name, prompt->element);
    if (!before || (before % rows && before != 1))
        return weft_error(s->diag, "%s: input '%s' has %llu rows, and the prompt was given %llu; each of them must go on from the same number", s->file, now->name,
                          (unsigned long long)rows, (unsigned long long)before);
    *out = (before == 1 ? 0 : (row + 1) * each - 1) * s->prompt;
    return WEFT_OK;
}

/* The prompt's mask, and that a new token is seen: 1, and in floats, which may be added to the scores, what shows the most. Without a mask of the prompt, all ones. */
static enum weft_status fill_mask(const struct step *s, struct weft_array *out)
{
    const struct weft_array *prompt = of_prompt(s, out->name);
    uint64_t columns = columns_of(out), total = s->prompt + s->number + 1, from = 0;
    enum weft_status status = WEFT_OK;
    for (uint64_t row = 0; row < rows_of(out) && !status; row++) {
        double seen = 1;
        if (prompt)
            status = row_of_prompt(s, &from, prompt, out, row);
        if (prompt && !status && is_float(prompt->element)) {
            seen = element_at(prompt, from);
            for (uint64_t i = 1; i < s->prompt; i++)
                seen = fmax(seen, element_at(prompt, from + i));
        }
        for (uint64_t i = 0; i < columns && !status; i++) {
            uint64_t token = columns <= total ? total - columns + i : i;
            set_element(out, row * columns + i, prompt && token < s->prompt ? element_at(prompt, from + token) : seen);
        }
    }
    return status;
}

/* On from the prompt's last position. */
static enum weft_status fill_positions(const struct step *s, struct weft_array *out)
{
    const struct weft_array *prompt = of_prompt(s, out->name);
    uint64_t columns = columns_of(out), from = 0;
    enum weft_status status = WEFT_OK;
    for (uint64_t row = 0; row < rows_of(out) && !status; row++) {
        if (prompt)
            status = row_of_prompt(s, &from, prompt, out, row);
        for (uint64_t i = 0; i < columns && !status; i++)
            set_element(out, row * columns + i, (prompt ? element_at(prompt, from + s->prompt - 1) + 1 : (double)s->prompt) + (double)s->number);
    }
    return status;
}

static enum weft_status fill_tokens(const struct step *s, struct weft_array *out, uint64_t count)
{
    uint64_t each = count / s->sequences;
    if (count != each * s->sequences)
        return weft_error(s->diag, "%s: input '%s' has %llu elements for the tokens of %llu sequences", s->file, out->name, (unsigned long long)count,
                          (unsigned long long)s->sequences);
    for (uint64_t i = 0; i < count; i++)
        set_element(out, i, (double)s->tokens[i / each]);
    return WEFT_OK;
}

/* What a step is given beside its state: the tokens, where they stand, and what of those before them is seen. */
static enum weft_status fill(const struct step *s, struct weft_array *out, const struct weft_tensor *input)
{
    uint64_t count = weft_tensor_count(input), wide = element_bytes_of(input->element);
    *out = (struct weft_array){.name = strdup(input->name), .rank = input->rank, .size = count * wide, .bytes = calloc(count + 1, wide), .file = strdup(s->file)};
    memcpy(out->dims, input->dims, sizeof out->dims);
    snprintf(out->element, sizeof out->element, "%s", input->element);
    if (!out->name || !out->bytes || !out->file)
        return WEFT_NO_MEMORY;
    bool position = strstr(input->name, "position"), mask = strstr(input->name, "mask");
    if (is_float(input->element) && (position || !mask || strcmp(input->element, "float32")))
        return weft_error(s->diag, "%s: input '%s' is %s; a step knows its token and its position in integers, and its mask in those or float32", s->file, input->name,
                          input->element);
    if (!count)
        return WEFT_OK;
    return position ? fill_positions(s, out) : mask ? fill_mask(s, out) : fill_tokens(s, out, count);
}

enum weft_status step_inputs(struct weft_arrays *out, const struct step *step, const struct weft_program *program)
{
    enum weft_status status = WEFT_OK;
    *out = (struct weft_arrays){calloc(program->input_count + 1, sizeof *out->items), 0};
    if (!out->items)
        return WEFT_NO_MEMORY;
    for (size_t i = 0; i < program->input_count && !status; i++)
        status = fill(step, &out->items[out->count++], &program->inputs[i]);
    return status;
}
