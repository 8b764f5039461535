/* scalesim.c: topology files of SCALE-Sim. A row is a layer:
 *
 *     convolution   Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides[, Strides Width]
 *     GEMM          Layer, M, N, K          [M, K] times [K, N]
 *
 * The layers of a topology are not connected: each is fed by a network input of its own and makes an output of its own.
 * IFMAP sizes include the padding. Weights are absent, so only times can be had from such a network.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lower.h"

enum { CELLS_MAX = 16, FILE_LIMIT = 16 << 20, LAYERS_MAX = 100000 };
enum column { IFMAP_H, IFMAP_W, FILTER_H, FILTER_W, CHANNELS, FILTERS, STRIDE_H, STRIDE_W, CONV_COLUMNS };

struct topology {
    struct graph *graph;
    const struct weft_compile_options *options;
    struct weft_diag *diag;
    const char *path;
    bool gemm;
    unsigned line, columns; /* columns: cells of the header */
    int sparsity;           /* the column with N:M, or -1 */
    struct cell {
        char *text;
        unsigned column;
    } cells[CELLS_MAX];
    unsigned cell_count, bad;
};

#define COMPLAIN(...) (t->bad++, weft_error(t->diag, __VA_ARGS__), false)

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    for (char *end = text + strlen(text); end > text && isspace((unsigned char)end[-1]);)
        *--end = 0;
    return text;
}

/* Cells between commas; empty ones at the end (a trailing comma) do not count. */
static bool split_line(struct topology *t, char *line)
{
    char *start = line;
    t->cell_count = 0;
    for (char *at = line, *comma; at; at = comma ? comma + 1 : NULL) {
        if ((comma = strchr(at, ',')))
            *comma = 0;
        if (t->cell_count == CELLS_MAX)
            return COMPLAIN("%s:%u: more than %d columns", t->path, t->line, CELLS_MAX);
        char *text = trim(at);
        t->cells[t->cell_count++] = (struct cell){text, (unsigned)(text - start) + 1};
    }
    while (t->cell_count && !*t->cells[t->cell_count - 1].text)
        t->cell_count--;
    return true;
}

/* Header words differ in case and spaces from file to file. */
static bool reads(const char *cell, const char *word)
{
    for (;; cell++, word++) {
        while (isspace((unsigned char)*cell) || *cell == '_')
            cell++;
        if (!*word)
            return !*cell;
        if (tolower((unsigned char)*cell) != *word)
            return false;
    }
}

static bool read_header(struct topology *t)
{
    t->sparsity = -1;
    t->columns = t->cell_count;
    for (unsigned i = 1; i < t->cell_count; i++)
        if (!strncasecmp(t->cells[i].text, "sparsity", 8))
            t->sparsity = (int)i;
    unsigned plain = t->sparsity < 0 ? t->columns : t->columns - 1;
    if (t->sparsity >= 0 && (unsigned)t->sparsity != t->columns - 1)
        return COMPLAIN("%s:%u:%u: the Sparsity column must be the last", t->path, t->line, t->cells[t->sparsity].column);
    t->gemm = plain == 4 && reads(t->cells[1].text, "m") && reads(t->cells[2].text, "n") && reads(t->cells[3].text, "k");
    bool conv = (plain == 8 || plain == 9) && !strncasecmp(t->cells[1].text, "ifmap", 5) && !strncasecmp(t->cells[3].text, "filter", 6);
    if (t->gemm || conv)
        return true;
    return COMPLAIN("%s:%u: is no header of a SCALE-Sim topology; 'Layer, M, N, K' or 'Layer name, IFMAP Height, IFMAP Width, Filter "
                    "Height, Filter Width, Channels, Num Filter, Strides' is right",
                    t->path, t->line);
}

static bool read_number(struct topology *t, unsigned cell, const char *what, int64_t *out)
{
    char *end;
    const char *text = cell < t->cell_count ? t->cells[cell].text : "";
    long long number = isdigit((unsigned char)*text) ? strtoll(text, &end, 10) : 0;
    if (number >= 1 && number <= 1 << 24 && !*end)
        return *out = number, true;
    unsigned column = cell < t->cell_count ? t->cells[cell].column : 1;
    if (!*text)
        return COMPLAIN("%s:%u:%u: %s is missing; the header has %u columns", t->path, t->line, column, what, t->columns);
    return COMPLAIN("%s:%u:%u: %s is '%s'; a whole number from 1 to %d is right", t->path, t->line, column, what, text, 1 << 24);
}

/* --- layers ---------------------------------------------------------------------------------------------------------------------- */

static int add_named(struct topology *t, const char *layer, const char *suffix, const struct shape *shape)
{
    char name[256];
    int64_t count;
    if (!shape_fits(shape, &count)) {
        (void)COMPLAIN("%s:%u: the layer has too many elements", t->path, t->line);
        return GRAPH_NONE;
    }
    snprintf(name, sizeof name, "%.200s%s", layer, suffix);
    return graph_add_value(t->graph, name, ELEMENT_F32, shape);
}

static bool add_layer(struct topology *t, enum core_op op, const struct attributes *at, const struct shape *x, const struct shape *w,
                      const struct shape *y)
{
    const char *layer = t->cells[0].text;
    struct graph *g = t->graph;
    unsigned bad = t->bad;
    int in = add_named(t, layer, ".input", x), weight = in < 0 ? in : add_named(t, layer, ".weight", w),
        out = weight < 0 ? weight : add_named(t, layer, "", y);
    int node = out < 0 ? out : graph_add_node(g, op, layer, t->gemm ? "GEMM" : "Conv", (int[]){in, weight}, 2);
    if (node < 0)
        return t->bad > bad ? false : COMPLAIN("%s:%u: out of memory", t->path, t->line);
    g->values[weight].contents = CONTENTS_ABSENT;
    g->nodes[node].at = *at;
    graph_add_output(g, node, out);
    g->inputs[g->input_count++] = in;
    g->outputs[g->output_count++] = out;
    return true;
}

static bool add_gemm(struct topology *t)
{
    int64_t m, n, k, batch = t->graph->batch;
    bool has_m = read_number(t, 1, "M", &m), has_n = read_number(t, 2, "N", &n), has_k = read_number(t, 3, "K", &k); /* all are looked at */
    if (!has_m || !has_n || !has_k)
        return false;
    struct shape x = {2, {m * batch, k}}, w = {2, {k, n}}, y = {2, {m * batch, n}};
    return add_layer(t, CORE_GEMM, &(struct attributes){.alpha = 1, .beta = 1}, &x, &w, &y);
}

static bool add_conv(struct topology *t)
{
    static const char *const names[] = {"IFMAP height", "IFMAP width",       "filter height", "filter width",
                                        "channels",     "number of filters", "stride",        "stride width"};
    int64_t c[CONV_COLUMNS], batch = t->graph->batch;
    unsigned given = t->columns - (t->sparsity >= 0) - 1;
    bool fine = true;
    for (unsigned i = 0; i < given; i++)
        fine &= read_number(t, i + 1, names[i], &c[i]);
    if (!fine)
        return false;
    if (given <= STRIDE_W)
        c[STRIDE_W] = c[STRIDE_H];
    if (c[FILTER_H] > c[IFMAP_H] || c[FILTER_W] > c[IFMAP_W])
        return COMPLAIN("%s:%u: the filter, %lld x %lld, is larger than the input, %lld x %lld", t->path, t->line, (long long)c[FILTER_H],
                        (long long)c[FILTER_W], (long long)c[IFMAP_H], (long long)c[IFMAP_W]);
    struct attributes at = {
        .spatial = 2, .groups = 1, .kernel = {c[FILTER_H], c[FILTER_W]}, .stride = {c[STRIDE_H], c[STRIDE_W]}, .dilation = {1, 1}};
    struct shape x = {4, {batch, c[CHANNELS], c[IFMAP_H], c[IFMAP_W]}}, w = {4, {c[FILTERS], c[CHANNELS], c[FILTER_H], c[FILTER_W]}};
    struct shape y = {4, {batch, c[FILTERS], (c[IFMAP_H] - c[FILTER_H]) / c[STRIDE_H] + 1, (c[IFMAP_W] - c[FILTER_W]) / c[STRIDE_W] + 1}};
    return add_layer(t, CORE_CONV, &at, &x, &w, &y);
}

/* N:M sparse weights ask for a machine that skips them; a dense layer is told as 1:1 (or N:N). */
static bool check_sparsity(struct topology *t)
{
    unsigned n, m;
    int used = 0;
    if (t->sparsity < 0 || (unsigned)t->sparsity >= t->cell_count)
        return true;
    const struct cell *cell = &t->cells[t->sparsity];
    if (sscanf(cell->text, "%9u:%9u%n", &n, &m, &used) == 2 && !cell->text[used] && n == m)
        return true;
    return COMPLAIN("%s:%u:%u: sparsity '%s' is not supported; 1:1 (dense) is", t->path, t->line, cell->column, cell->text);
}

static void read_row(struct topology *t)
{
    if (!*t->cells[0].text)
        (void)COMPLAIN("%s:%u:1: the layer has no name", t->path, t->line);
    else if (t->cell_count > t->columns)
        (void)COMPLAIN("%s:%u:%u: %u columns; the header has %u", t->path, t->line, t->cells[t->columns].column, t->cell_count, t->columns);
    else if (check_sparsity(t))
        (void)(t->gemm ? add_gemm(t) : add_conv(t));
}

static enum weft_status read_lines(struct topology *t, char *text)
{
    bool header = true;
    for (char *line = text, *end; line && t->bad < 100; line = end) {
        if ((end = strchr(line, '\n')))
            *end++ = 0;
        t->line++;
        if (!split_line(t, line) || !t->cell_count)
            continue;
        if (header && !read_header(t))
            return WEFT_ERROR;
        if (!header && t->graph->input_count == LAYERS_MAX)
            return weft_error(t->diag, "%s:%u: more than %d layers", t->path, t->line, LAYERS_MAX);
        if (!header)
            read_row(t);
        header = false;
    }
    if (t->bad)
        return WEFT_ERROR;
    return t->graph->input_count ? WEFT_OK : weft_error(t->diag, "%s: has no layers", t->path);
}

static enum weft_status check_dims(const struct topology *t)
{
    for (size_t i = 0; i < t->options->dim_count; i++)
        if (!t->options->dims[i].optional)
            return weft_error(t->diag, "%s: --dim %s=%lld: a SCALE-Sim topology has no named dimensions; its batch is given by --batch", t->path,
                              t->options->dims[i].name, (long long)t->options->dims[i].value);
    return WEFT_OK;
}

enum weft_status scalesim_load(struct graph *graph, const char *path, const struct weft_compile_options *options, struct weft_diag *diag)
{
    struct topology t = {.graph = graph, .options = options, .diag = diag, .path = path};
    char *text;
    size_t bytes;
    if (options->batch < 0 || options->batch > 1 << 20)
        return weft_error(diag, "%s: batch %lld; 1 to %d is right", path, (long long)options->batch, 1 << 20);
    enum weft_status status = check_dims(&t);
    if (!status)
        status = weft_file_read(&text, &bytes, path, FILE_LIMIT, diag);
    if (status)
        return status;
    status = memchr(text, 0, bytes) ? weft_error(diag, "%s: is no text; a SCALE-Sim topology is", path) : WEFT_OK;
    char *copy = status ? NULL : strndup(text, bytes);
    graph->batch = options->batch ? options->batch : 1;
    graph->weights_absent = true;
    graph->inputs = malloc(LAYERS_MAX * sizeof *graph->inputs);
    graph->outputs = malloc(LAYERS_MAX * sizeof *graph->outputs);
    if (!status)
        status = copy && graph->inputs && graph->outputs ? read_lines(&t, copy) : WEFT_NO_MEMORY;
    free(copy);
    free(text);
    return status;
}
