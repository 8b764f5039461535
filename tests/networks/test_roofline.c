/* test_roofline.c [COUNT [SEED]]: random networks on random machines. No run takes fewer cycles than its roofline, however much of an input it reads,
 * whatever leaves the buffer and in how many parts the batch runs; and the mapping bound is the sum of its layers'. A failing case is printed as a
 * network in ONNX text with its machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weft_compiler.h"
#include "weft_sim.h"

enum { VALUES_MAX = 24, NODES_MAX = 9, SETTINGS = 6 };

struct draw { uint64_t state; };

static int64_t pick(struct draw *d, int64_t low, int64_t high)
{
    d->state = d->state * 6364136223846793005u + 1442695040888963407u;
    return low + (int64_t)((d->state >> 33) % (uint64_t)(high - low + 1));
}

/* --- a network ------------------------------------------------------------------------------------------------------------------ */

struct image { int64_t n, c, h, w; bool read; }; /* every value is one */
struct net { struct draw *d; FILE *body; struct image values[VALUES_MAX]; int count, inputs, weights; };

static int add(struct net *t, struct image image)
{
    t->values[t->count] = image;
    return t->count++;
}

static int some(struct net *t)
{
    int v = (int)pick(t->d, t->count > 3 ? t->count - 3 : 0, t->count - 1);
    t->values[v].read = true;
    return v;
}

static void convolution(struct net *t)
{
    int x = some(t);
    struct image i = t->values[x];
    int64_t k = i.h >= 3 && i.w >= 3 && pick(t->d, 0, 1) ? 3 : 1, s = pick(t->d, 1, 2), group = pick(t->d, 0, 3) ? 1 : i.c, to = group > 1 ? i.c : pick(t->d, 1, 40);
    fprintf(t->body, "w%d = RandomNormal <shape = [%lld, %lld, %lld, %lld]> ()\n", t->weights, (long long)to, (long long)(i.c / group), (long long)k, (long long)k);
    fprintf(t->body, "v%d = Conv <kernel_shape = [%lld, %lld], pads = [%lld, %lld, %lld, %lld], strides = [%lld, %lld], group = %lld> (v%d, w%d)\n", t->count, (long long)k,
            (long long)k, (long long)k / 2, (long long)k / 2, (long long)k / 2, (long long)k / 2, (long long)s, (long long)s, (long long)group, x, t->weights++);
    add(t, (struct image){i.n, to, (i.h - 1) / s + 1, (i.w - 1) / s + 1, false});
}

/* Of an image's rows. */
static void product(struct net *t)
{
    int x = some(t);
    struct image i = t->values[x];
    int64_t to = pick(t->d, 1, 70);
    fprintf(t->body, "w%d = RandomNormal <shape = [%lld, %lld]> ()\nv%d = MatMul (v%d, w%d)\n", t->weights, (long long)i.w, (long long)to, t->count, x, t->weights);
    t->weights++;
    add(t, (struct image){i.n, i.c, i.h, to, false});
}

/* x by itself, turned: two computed operands. */
static void square(struct net *t)
{
    int x = some(t);
    struct image i = t->values[x];
    fprintf(t->body, "t%d = Transpose <perm = [0, 1, 3, 2]> (v%d)\nv%d = MatMul (v%d, t%d)\n", t->count, x, t->count, x, t->count);
    add(t, (struct image){i.n, i.c, i.h, i.h, false});
}

static void slice(struct net *t)
{
    int x = some(t), axis = (int)pick(t->d, 1, 3);
    struct image i = t->values[x];
    int64_t *extent = axis == 1 ? &i.c : axis == 2 ? &i.h : &i.w, first = pick(t->d, 0, *extent - 1), end = pick(t->d, first + 1, *extent);
    fprintf(t->body, "b%d = Constant <value = int64[1] {%lld}> () e%d = Constant <value = int64[1] {%lld}> () a%d = Constant <value = int64[1] {%d}> ()\n", t->count,
            (long long)first, t->count, (long long)end, t->count, axis);
    fprintf(t->body, "v%d = Slice (v%d, b%d, e%d, a%d)\n", t->count, x, t->count, t->count, t->count);
    *extent = end - first;
    i.read = false;
    add(t, i);
}

static void join(struct net *t)
{
    int x = some(t), y = x;
    struct image i = t->values[x];
    for (int v = 0; v < t->count; v++)
        if (t->values[v].n == i.n && t->values[v].h == i.h && t->values[v].w == i.w && pick(t->d, 0, 1))
            y = v;
    t->values[y].read = true;
    fprintf(t->body, "v%d = Concat <axis = 1> (v%d, v%d)\n", t->count, x, y);
    i.c += t->values[y].c;
    i.read = false;
    add(t, i);
}

static void sum(struct net *t)
{
    int x = some(t), y = x;
    struct image i = t->values[x];
    for (int v = 0; v < t->count; v++)
        if (t->values[v].c == i.c && t->values[v].h == i.h && t->values[v].w == i.w && t->values[v].n == i.n && pick(t->d, 0, 1))
            y = v;
    t->values[y].read = true;
    fprintf(t->body, "v%d = %s (v%d, v%d)\n", t->count, pick(t->d, 0, 1) ? "Add" : "Mul", x, y);
    i.read = false;
    add(t, i);
}

static void unary(struct net *t)
{
    static const char *const names[] = {"Relu", "Sigmoid", "Softmax <axis = 3>", "MaxPool <kernel_shape = [1, 1]>", "GlobalAveragePool", "Identity", "Sqrt",
                                        "ReduceMean <axes = [2], keepdims = 1>", "Transpose <perm = [0, 2, 3, 1]>", "LRN <size = 3>"};
    int x = some(t);
    int64_t op = pick(t->d, 0, (int64_t)(sizeof names / sizeof *names) - 1);
    struct image i = t->values[x];
    i.read = false;
    if (op == 4)
        i.h = i.w = 1;
    if (op == 7)
        i.h = 1;
    if (op == 8)
        i = (struct image){i.n, i.h, i.w, i.c, false};
    fprintf(t->body, "v%d = %s (v%d)\n", t->count, names[op], x);
    add(t, i);
}

static void node(struct net *t)
{
    static void (*const makers[])(struct net *) = {convolution, convolution, product, square, slice, slice, join, sum, unary, unary};
    makers[pick(t->d, 0, (int64_t)(sizeof makers / sizeof *makers) - 1)](t);
}

static void print_value(FILE *f, const struct net *t, int v, const char *before)
{
    const struct image *i = &t->values[v];
    fprintf(f, "%sfloat[%lld, %lld, %lld, %lld] v%d", before, (long long)i->n, (long long)i->c, (long long)i->h, (long long)i->w, v);
}

/* What nobody reads leaves; an input may be one that nobody reads. */
static void write_network(FILE *f, struct draw *d)
{
    char *body;
    size_t size;
    struct net t = {.d = d, .body = open_memstream(&body, &size)};
    int64_t batch = pick(d, 0, 1) ? pick(d, 1, 6) : 1;
    for (t.inputs = (int)pick(d, 1, 3); t.count < t.inputs;)
        add(&t, (struct image){batch, pick(d, 1, 12), pick(d, 1, 20), pick(d, 1, 20), false});
    for (int64_t nodes = pick(d, 1, NODES_MAX); nodes > 0; nodes--)
        node(&t);
    fclose(t.body);
    fprintf(f, "<ir_version: 8, opset_import: [\"\" : 13]>\nrandom");
    for (int v = 0; v < t.inputs; v++)
        print_value(f, &t, v, v ? ", " : " (");
    fprintf(f, ")");
    const char *before = " => (";
    for (int v = t.inputs; v < t.count; v++)
        if (!t.values[v].read || v + 1 == t.count) {
            print_value(f, &t, v, before);
            before = ", ";
        }
    fprintf(f, ") {\n%s}\n", body);
    free(body);
}

/* --- a machine ------------------------------------------------------------------------------------------------------------------ */

static void draw_machine(struct draw *d, char settings[SETTINGS][80])
{
    static const char *const links[] = {"100000000", "1000000000", "100000000000"};
    snprintf(settings[0], 80, "unified_buffer.bytes=%d", 1 << pick(d, 11, 18));
    snprintf(settings[1], 80, "dram.writable=%s", pick(d, 0, 1) ? "true" : "false");
    snprintf(settings[2], 80, "link.in_bytes_per_second=%s", links[pick(d, 0, 2)]);
    snprintf(settings[3], 80, "link.out_bytes_per_second=%s", links[pick(d, 0, 2)]);
    snprintf(settings[4], 80, "dram.bytes_per_second=%s", links[pick(d, 1, 2)]);
    snprintf(settings[5], 80, "array.count=%d", (int)pick(d, 1, 2));
}

static bool set_machine(struct weft_machine *machine, char settings[SETTINGS][80])
{
    struct weft_diag diag = {weft_diag_stderr, NULL, 0};
    bool fine = !weft_machine_load(machine, "tiny", &diag);
    for (int i = 0; i < SETTINGS && fine; i++)
        fine = !weft_machine_set(machine, settings[i], &diag);
    return fine;
}

/* --- one case ------------------------------------------------------------------------------------------------------------------- */

enum outcome { HOLDS, REFUSED, BROKEN };

static bool layers_add_up(const struct weft_program *p)
{
    uint64_t mapping = 0;
    for (size_t i = 0; i < p->layer_count; i++)
        mapping += p->layers[i].mapping_cycles;
    return mapping == p->mapping_cycles;
}

static enum outcome judge(const struct weft_program *program)
{
    struct weft_sim *sim;
    struct weft_diag diag = {weft_diag_stderr, NULL, 0};
    if (weft_sim_create(&sim, program, &(struct weft_sim_options){.engine = WEFT_ENGINE_FAST, .timing_only = true}, &diag) || weft_sim_run(sim, &diag))
        return BROKEN;
    uint64_t cycles = weft_sim_counters(sim)->cycles;
    bool holds = program->roofline_cycles <= cycles && layers_add_up(program);
    if (!holds)
        printf("roofline %llu, run %llu, mapping bound %llu%s\n", (unsigned long long)program->roofline_cycles, (unsigned long long)cycles,
               (unsigned long long)program->mapping_cycles, layers_add_up(program) ? "" : ", which its layers do not add up to");
    weft_sim_free(sim);
    return holds ? HOLDS : BROKEN;
}

static enum outcome try_case(const char *path, const struct weft_machine *machine, const char *format)
{
    struct weft_compile_options options = {.format = format, .timing_only = true};
    struct weft_network *network;
    struct weft_program *program;
    if (weft_network_load(&network, path, &options, NULL))
        return REFUSED;
    enum outcome outcome = weft_compile(&program, network, machine, &options, NULL) ? REFUSED : judge(program);
    if (outcome != REFUSED)
        weft_program_free(program);
    weft_network_free(network);
    return outcome;
}

static void print_case(const char *path, const char *format, char settings[SETTINGS][80])
{
    char line[1024];
    FILE *f = fopen(path, "r");
    printf("-m tiny --format %s", format);
    for (int i = 0; i < SETTINGS; i++)
        printf(" --set %s", settings[i]);
    printf("\n");
    while (f && fgets(line, sizeof line, f))
        fputs(line, stdout);
    if (f)
        fclose(f);
}

static enum outcome one(struct draw *d)
{
    static const char *const formats[] = {"int8", "int16", "bf16", "fp32"};
    char path[] = "/tmp/weft-roofline-XXXXXX.onnxtxt", settings[SETTINGS][80];
    struct weft_machine machine;
    const char *format = formats[pick(d, 0, 3)];
    int file = mkstemps(path, 8);
    FILE *f = file >= 0 ? fdopen(file, "w") : NULL;
    if (!f)
        return BROKEN;
    write_network(f, d);
    fclose(f);
    draw_machine(d, settings);
    enum outcome outcome = set_machine(&machine, settings) ? try_case(path, &machine, format) : BROKEN;
    if (outcome == BROKEN)
        print_case(path, format, settings);
    unlink(path);
    return outcome;
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 600, counts[3] = {0};
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    for (int i = 0; i < count; i++)
        counts[one(&(struct draw){(seed + (uint64_t)i) * 0x9e3779b97f4a7c15u})]++;
    printf("%d networks: %d hold, %d are refused, %d do not hold\n", count, counts[HOLDS], counts[REFUSED], counts[BROKEN]);
    return counts[BROKEN] || counts[HOLDS] < count / 2;
}
