/* generate.c: random programs. Operands are drawn by the kinds and names of isa.def's table, then weft_check is asked; what it refuses
 * is drawn again. Addresses cluster about a few places, so that instructions meet in memory and hazards occur. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

enum { PLACES = 4, TRIES = 60 };

struct generator {
    struct fuzz_random random;
    struct weft_program *program;
    struct weft_config config;
    struct weft_order order;
    void *spare_fifo; /* for a check that may fail; of the size of order.fifo */
    struct weft_limits limits;
    uint64_t ub[PLACES], host[PLACES], dram[PLACES], acc[PLACES];
    size_t capacity;
    uint64_t most_rows, most_cost; /* of an instruction: element operations */
};

uint64_t fuzz_next(struct fuzz_random *random)
{
    uint64_t z = (random->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t fuzz_below(struct fuzz_random *random, uint64_t count) { return fuzz_next(random) % count; }

static uint64_t below(struct generator *g, uint64_t count) { return fuzz_below(&g->random, count); }

static bool chance(struct generator *g, unsigned percent) { return below(g, 100) < percent; }

/* 0 .. count - 1, small ones more often */
static uint64_t skewed(struct generator *g, uint64_t count) { return below(g, below(g, count) + 1); }

/* 1 .. most, and all of it every third time */
static uint64_t extent(struct generator *g, uint64_t most) { return chance(g, 33) ? most : 1 + below(g, most); }

#define PICK(g, ...) ((const uint64_t[]){__VA_ARGS__}[below(g, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))])

/* --- machine and memories ------------------------------------------------------------------------------------------------- */

/* Cells of an array's side; a few are wide enough to cross the blocks of a host's matrix code. */
static uint64_t draw_side(struct generator *g)
{
    if (chance(g, 2)) return PICK(g, 63, 64, 65, 100, 128, 200);
    return chance(g, 70) ? 1 + below(g, 8) : PICK(g, 9, 12, 16, 17, 31, 32);
}

/* from an eighth of a byte a cycle to 64 bytes a cycle, often no whole number */
static uint64_t draw_bandwidth(struct generator *g, uint64_t hz) { return chance(g, 50) ? hz * (1 + below(g, 64)) : hz / 8 + below(g, hz * 16); }

/* Up to `most` cycles, in picoseconds that are seldom whole cycles. */
static uint64_t draw_ps(struct generator *g, uint64_t most, uint64_t hz)
{
    return chance(g, 10) ? 0 : below(g, most * (UINT64_C(1000000000000) / hz));
}

/* Rows of a few bursts, so that even short transfers leave them. */
static void draw_dram(struct generator *g, struct weft_machine *m)
{
    uint64_t hz = m->clock_hz;
    m->dram_detailed = chance(g, 60);
    m->dram_channels = PICK(g, 1, 1, 2, 3, 4);
    m->dram_banks = PICK(g, 1, 2, 3, 4, 8);
    m->dram_row_bytes = 1 + m->dram_burst_bytes * PICK(g, 0, 1, 2, 3, 8, 16, 40) + below(g, m->dram_burst_bytes);
    m->dram_trcd_ps = draw_ps(g, 12, hz);
    m->dram_trp_ps = draw_ps(g, 12, hz);
    m->dram_tcl_ps = draw_ps(g, 12, hz);
    m->dram_tras_ps = draw_ps(g, 40, hz);
    m->dram_trrd_ps = draw_ps(g, 20, hz);
    m->dram_trfc_ps = draw_ps(g, 60, hz);
    m->dram_trefi_ps = draw_ps(g, PICK(g, 10, 100, 100, 1000), hz);
}

static struct weft_machine draw_machine(struct generator *g)
{
    struct weft_machine m = {.name = "random", .description = "a machine of the random-program generator"};
    m.formats = WEFT_USES_U8 | WEFT_USES_S8 | WEFT_USES_S16 | WEFT_USES_BF16;
    if (chance(g, 15)) m.formats = 1 + (unsigned)below(g, 15);
    m.clock_hz = PICK(g, 1000, 1001, 700000000, 940000000);
    m.rows = draw_side(g);
    m.columns = draw_side(g);
    m.arrays = chance(g, 50) ? 1 : PICK(g, 2, 2, 3, 4);
    m.ub_bytes = PICK(g, 64, 300, 512, 1000, 2048, 4096);
    m.ub_line_bytes = PICK(g, 1, 2, 3, 4, 7, 8, 16, 32, 33, 64);
    m.ub_read_ports = 1 + skewed(g, 4);
    m.acc_rows = PICK(g, 1, 2, 5, 16, 40, 64);
    m.fifo_tiles = 1 + skewed(g, 6);
    m.whole_tiles = chance(g, 30);
    m.vector_lanes = PICK(g, 1, 2, 3, 8, 16, 32);
    m.vector_rows = PICK(g, 1, 1, 2, 3, 8);
    m.vector_depth = 1 + skewed(g, 24);
    m.dram_bytes = 1 << 20;
    m.dram_bytes_per_second = draw_bandwidth(g, m.clock_hz);
    m.dram_latency = skewed(g, 60);
    m.dram_burst_bytes = PICK(g, 1, 2, 3, 8, 32, 64);
    m.dram_writable = chance(g, 60);
    draw_dram(g, &m);
    m.link_in_bytes_per_second = draw_bandwidth(g, m.clock_hz);
    m.link_out_bytes_per_second = draw_bandwidth(g, m.clock_hz);
    m.link_latency = skewed(g, 60);
    m.queue_depth = PICK(g, 1, 1, 2, 2, 3, 4, 16, 100);
    return m;
}

/* Bits of a float, binary32: mostly of the size of real activations, sometimes what arithmetic stumbles over. */
static uint32_t draw_float(struct generator *g)
{
    if (chance(g, 4)) return (uint32_t)PICK(g, 0x7fc00000, 0x7f800001, 0xffc12345, 0x7f800000, 0xff800000);
    if (chance(g, 8)) return (uint32_t)PICK(g, 0, 0x80000000, 1, 0x807fffff, 0x00800000, 0x7f7fffff, 0x4b800000, 0x4f000000, 0xcf000000);
    if (chance(g, 25)) return (uint32_t)PICK(g, 0x3f800000, 0x3f000000, 0xbf800000, 0x40400000, 0x3d800000, 0x40200000);
    return (uint32_t)((below(g, 2) << 31) | ((118 + below(g, 18)) << 23) | below(g, 1 << 23));
}

/* One stretch of a memory, of one sort of number. */
static void draw_stretch(struct generator *g, uint8_t *bytes, uint64_t size)
{
    unsigned sort = (unsigned)below(g, 4);
    for (uint64_t i = 0; i < size; i++) {
        uint32_t word = sort == 0 ? (uint32_t)fuzz_next(&g->random) : sort == 1 ? (uint32_t)below(g, 9) - 4 : draw_float(g);
        unsigned width = sort < 2 ? 1 : sort == 2 ? 4 : 2;
        if (sort == 3) word >>= 16;
        for (unsigned j = 0; j < width && i + j < size; j++) bytes[i + j] = (uint8_t)(word >> (8 * j));
        i += width - 1;
    }
}

static uint8_t *draw_memory(struct generator *g, uint64_t size)
{
    uint8_t *bytes = malloc(size);
    for (uint64_t at = 0; bytes && at < size;) {
        uint64_t stretch = 1 + below(g, size);
        if (stretch > size - at) stretch = size - at;
        draw_stretch(g, bytes + at, stretch);
        at += stretch;
    }
    return bytes;
}

static enum weft_status draw_memories(struct generator *g)
{
    struct weft_program *p = g->program;
    uint64_t tile = p->machine.rows * p->machine.columns * 2;
    p->host_bytes = p->machine.ub_bytes + 1 + below(g, 200);
    p->data_host = chance(g, 80) ? 0 : below(g, p->host_bytes);
    p->data_bytes = p->host_bytes - p->data_host;
    p->data = draw_memory(g, p->data_bytes);
    p->dram_bytes = tile + 1 + below(g, 2 * tile + 200);
    p->weights_bytes = chance(g, 70) ? p->dram_bytes : 1 + below(g, p->dram_bytes);
    p->weights = draw_memory(g, p->weights_bytes);
    return p->data && p->weights ? WEFT_OK : WEFT_NO_MEMORY;
}

static enum weft_status draw_layers(struct generator *g)
{
    static const char *const names[] = {"one", "two", "three", "four"};
    size_t count = below(g, 5);
    g->program->layers = calloc(count + 1, sizeof *g->program->layers);
    if (!g->program->layers) return WEFT_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        g->program->layers[i].name = strdup(names[i]);
        g->program->layers[i].op = strdup("Random");
        g->program->layers[i].shape = strdup("");
        g->program->layer_count++;
        if (!g->program->layers[i].name || !g->program->layers[i].op || !g->program->layers[i].shape) return WEFT_NO_MEMORY;
    }
    return WEFT_OK;
}

/* --- operands ---------------------------------------------------------------------------------------------------------------- */

/* Somewhere in `size`, most often near one of the places. */
static uint64_t draw_address(struct generator *g, const uint64_t places[PLACES], uint64_t size)
{
    if (chance(g, 30)) return below(g, size);
    uint64_t at = places[below(g, PLACES)] + (chance(g, 50) ? 0 : below(g, 16));
    return at < size ? at : size - 1;
}

static uint64_t draw_uint(struct generator *g, const struct weft_field *field)
{
    const struct weft_program *p = g->program;
    const char *name = field->name;
    if (!strcmp(name, "ub")) return draw_address(g, g->ub, p->machine.ub_bytes);
    if (!strcmp(name, "host")) return draw_address(g, g->host, p->host_bytes);
    if (!strcmp(name, "dram")) return draw_address(g, g->dram, p->dram_bytes);
    if (!strcmp(name, "acc")) return draw_address(g, g->acc, p->machine.acc_rows);
    if (!strcmp(name, "bytes")) return 1 + skewed(g, p->machine.ub_bytes);
    if (!strcmp(name, "rows")) return 1 + skewed(g, g->most_rows);
    if (!strcmp(name, "first_row")) return chance(g, 60) ? 0 : below(g, 5);
    if (!strcmp(name, "first_lane")) return chance(g, 60) ? 0 : below(g, 9);
    if (!strcmp(name, "lanes")) return chance(g, 80) ? extent(g, p->machine.columns) : 1 + below(g, 48);
    if (!strcmp(name, "stride")) return skewed(g, 3 * p->machine.rows);
    if (!strcmp(name, "k")) return extent(g, p->machine.rows);
    if (!strcmp(name, "n")) return extent(g, p->machine.columns);
    if (!strcmp(name, "layer")) return below(g, p->layer_count ? p->layer_count : 1);
    return below(g, UINT64_C(1) << field->width);
}

static uint64_t draw_format(struct generator *g)
{
    return chance(g, 60) ? PICK(g, WEFT_FORMAT_u8, WEFT_FORMAT_s8) : PICK(g, WEFT_FORMAT_s16, WEFT_FORMAT_s32, WEFT_FORMAT_bf16, WEFT_FORMAT_f32);
}

static uint64_t draw_function(struct generator *g)
{
    static const uint8_t functions[] = {
#define WEFT_FUNCTION(number, name, meaning) number,
#include "functions.def"
    };
    return chance(g, 45) ? WEFT_FUNCTION_none : functions[below(g, sizeof functions)];
}

/* A pattern as instructions mostly name them: few, so that what `set` has written is met. */
static uint64_t draw_pattern(struct generator *g) { return chance(g, 75) ? below(g, 3) : below(g, WEFT_PATTERNS); }

static uint64_t draw_register(struct generator *g)
{
    size_t count;
    const struct weft_register *table = weft_register_table(&count);
    if (chance(g, 60)) return draw_pattern(g) * 8 + below(g, 6);
    for (;;) {
        const struct weft_register *reg = &table[below(g, count)];
        if (reg->number >= WEFT_PATTERNS * 8 || chance(g, 5)) return reg->number;
    }
}

static uint64_t draw_operand(struct generator *g, const struct weft_field *field)
{
    switch (field->kind) {
    case WEFT_KIND_UINT: return draw_uint(g, field);
    case WEFT_KIND_FLAG: return chance(g, 35);
    case WEFT_KIND_PATTERN: return draw_pattern(g);
    case WEFT_KIND_FORMAT: return draw_format(g);
    case WEFT_KIND_FUNCTION: return draw_function(g);
    case WEFT_KIND_REDUCE: return below(g, UINT64_C(1) << field->width); /* all four are taken */
    case WEFT_KIND_REGISTER: return draw_register(g);
    case WEFT_KIND_RAW: return (uint32_t)fuzz_next(&g->random);
    }
    return 0;
}

/* --- registers ----------------------------------------------------------------------------------------------------------------- */

static uint32_t draw_count(struct generator *g, unsigned most) { return chance(g, 12) ? UINT32_MAX : 1 + (uint32_t)below(g, most); }

static int32_t draw_signed(struct generator *g)
{
    if (chance(g, 5)) return (int32_t)PICK(g, 0x7fffffff, 0x80000000, 0x7fffff00);
    return chance(g, 30) ? 0 : (int32_t)below(g, 300) - 140;
}

/* The stride with which a row loop goes on where the loop inside it ends, so that two levels are one even walk. */
static uint64_t continued(const struct weft_pattern *p, unsigned offset)
{
    uint64_t stride = offset == 2 ? (uint64_t)p->count0 * p->stride0 : (uint64_t)p->count1 * p->stride1;
    return stride < 4096 ? stride : 0;
}

static void draw_pattern_values(struct generator *g, struct weft_instr *set, unsigned pattern, unsigned offset)
{
    bool of_acc = pattern == 15 && chance(g, 70);
    uint64_t span = of_acc ? 4 : 40;
    switch (offset) {
    case 0: set->value0 = (uint32_t)(of_acc ? skewed(g, 4) : draw_address(g, g->ub, g->program->machine.ub_bytes)); break;
    case 1: case 2: case 3:
        set->value0 = draw_count(g, chance(g, 60) ? 3 : 6);
        set->value1 = (uint32_t)(chance(g, 50) ? skewed(g, span) : below(g, 6));
        if (offset > 1 && chance(g, 30)) set->value1 = (uint32_t)continued(&g->config.pattern[pattern], offset);
        break;
    case 4:
        set->value0 = draw_count(g, 12);
        set->value1 = (uint32_t)skewed(g, 64);
        break;
    default:
        set->value0 = draw_count(g, 4);
        set->value1 = (uint32_t)skewed(g, 100);
        break;
    }
}

/* v.bias and v.scale: where, and after how many lanes they repeat. */
static void draw_parameters(struct generator *g, struct weft_instr *set)
{
    set->value0 = (uint32_t)draw_address(g, g->ub, g->program->machine.ub_bytes);
    set->value1 = chance(g, 50) ? UINT32_MAX : 1 + (uint32_t)below(g, 9);
}

static void draw_vector_values(struct generator *g, struct weft_instr *set, const struct weft_register *reg)
{
    uint32_t *value[2] = {&set->value0, &set->value1};
    for (unsigned i = 0; i < 2; i++)
        if (reg->half[i] == WEFT_HALF_FLOAT) *value[i] = draw_float(g);
        else if (reg->half[i] == WEFT_HALF_SINT) *value[i] = (uint32_t)draw_signed(g);
        else if (reg->half[i] == WEFT_HALF_UINT) *value[i] = (uint32_t)below(g, 5);
    if (!strcmp(reg->name, "v.bias") || !strcmp(reg->name, "v.scale")) draw_parameters(g, set);
    if (!strcmp(reg->name, "v.table")) set->value0 = (uint32_t)below(g, g->program->machine.ub_bytes);
    if (!strncmp(reg->name, "v.win", 5)) set->value0 = 1 + (uint32_t)below(g, 3);
    if (!strcmp(reg->name, "v.clamp") && chance(g, 80) && (int32_t)set->value0 > (int32_t)set->value1) {
        uint32_t low = set->value1;
        set->value1 = set->value0;
        set->value0 = low;
    }
}

static void draw_values(struct generator *g, struct weft_instr *set)
{
    const struct weft_register *reg = weft_register_at(set->reg);
    set->value0 = set->value1 = 0;
    if (set->reg < WEFT_PATTERNS * 8) draw_pattern_values(g, set, set->reg / 8, set->reg % 8);
    else draw_vector_values(g, set, reg);
}

/* --- instructions ---------------------------------------------------------------------------------------------------------------- */

/* Where operands depend on each other, chance alone would hardly meet it. */
static void repair(struct generator *g, struct weft_instr *instr)
{
    if (instr->op == WEFT_OP_SET) draw_values(g, instr);
    if (instr->raw) {
        instr->func = WEFT_FUNCTION_none;
        if (instr->op == WEFT_OP_COPY) instr->fmt = instr->fmt_a;
        else instr->fmt = instr->facc ? WEFT_FORMAT_f32 : WEFT_FORMAT_s32;
        instr->scale = instr->residual = instr->pool = 0;
    }
    if (instr->op == WEFT_OP_ACTIVATE && instr->pool && instr->reduce == WEFT_REDUCTION_squares && chance(g, 90)) instr->reduce = WEFT_REDUCTION_sum;
    if (instr->func == WEFT_FUNCTION_table && weft_format_bytes(instr->fmt) != 1) instr->fmt = WEFT_FORMAT_s8;
    if (instr->op == WEFT_OP_MATMUL || instr->op == WEFT_OP_CONVOLVE) {
        instr->next = instr->next || (g->order.fifo_waiting && chance(g, 40));
        if (chance(g, 20)) instr->fmt = WEFT_FORMAT_bf16;
    }
    if (instr->op == WEFT_OP_READ_WEIGHTS || instr->op == WEFT_OP_PUSH_WEIGHTS)
        if (chance(g, 20)) instr->fmt = WEFT_FORMAT_bf16;
}

/* Element operations, so that no program takes long. */
static uint64_t cost(const struct generator *g, const struct weft_instr *instr, const struct weft_order *after)
{
    if (instr->op == WEFT_OP_MATMUL || instr->op == WEFT_OP_CONVOLVE) return (uint64_t)instr->rows * after->active_k * after->active_n;
    uint64_t windows = (uint64_t)g->config.win_count0 * g->config.win_count1;
    return (uint64_t)instr->rows * instr->lanes * (instr->pool || instr->op == WEFT_OP_POOL ? windows : 1);
}

/* Checks on a copy of the order, which is kept if the instruction is valid. */
static bool accept(struct generator *g, const struct weft_instr *instr)
{
    struct weft_effects effects;
    char message[256];
    struct weft_order order = g->order;
    order.fifo = g->spare_fifo;
    memcpy(order.fifo, g->order.fifo, g->program->machine.fifo_tiles * sizeof *order.fifo);
    if (!weft_check(&effects, &order, instr, &g->config, &g->program->machine, &g->limits, message)) return false;
    if (cost(g, instr, &order) > g->most_cost) return false;
    g->spare_fifo = g->order.fifo;
    g->order = order;
    return true;
}

static const struct weft_instr_info *draw_info(struct generator *g)
{
    size_t count;
    const struct weft_instr_info *table = weft_instr_table(&count);
    for (;;) {
        const struct weft_instr_info *info = &table[below(g, count)];
        if (info->op == WEFT_OP_HALT) continue;
        if (info->unit == WEFT_UNIT_CONTROL && info->op != WEFT_OP_SET && chance(g, 70)) continue;
        if (chance(g, 35)) info = weft_instr_info((enum weft_opcode)PICK(g, WEFT_OP_MATMUL, WEFT_OP_CONVOLVE, WEFT_OP_READ_WEIGHTS, WEFT_OP_ACTIVATE));
        return chance(g, 15) ? weft_instr_info(WEFT_OP_SET) : info;
    }
}

static void draw_instr(struct generator *g, struct weft_instr *out, const struct weft_instr_info *info)
{
    weft_instr_init(out, info->op);
    for (size_t i = 0; i < info->field_count; i++)
        if (info->fields[i].dflt == WEFT_REQUIRED || chance(g, 75)) weft_field_set(out, &info->fields[i], draw_operand(g, &info->fields[i]));
    repair(g, out);
}

static enum weft_status append(struct generator *g, const struct weft_instr *instr)
{
    struct weft_program *p = g->program;
    if (p->instructions == g->capacity) {
        size_t capacity = g->capacity ? 2 * g->capacity : 64;
        uint8_t *text = realloc(p->text, capacity * WEFT_WORD_BYTES);
        if (!text) return WEFT_NO_MEMORY;
        p->text = text;
        g->capacity = capacity;
    }
    if (weft_encode(p->text + p->instructions * WEFT_WORD_BYTES, instr)) p->instructions++;
    return WEFT_OK;
}

/* One more valid instruction; where chance finds none of a kind, it looks for another. */
static enum weft_status append_valid(struct generator *g)
{
    struct weft_instr instr;
    for (const struct weft_instr_info *info = draw_info(g);; info = draw_info(g))
        for (unsigned tries = 0; tries < TRIES; tries++) {
            draw_instr(g, &instr, info);
            if (!accept(g, &instr)) continue;
            if (instr.op == WEFT_OP_SET) weft_config_set(&g->config, instr.reg, instr.value0, instr.value1);
            return append(g, &instr);
        }
}

/* The UB's first contents, whole or in two parts. */
static enum weft_status append_load(struct generator *g)
{
    uint64_t size = g->program->machine.ub_bytes, first = chance(g, 50) ? size : 1 + below(g, size - 1);
    struct weft_instr instr = {.op = WEFT_OP_READ_HOST, .bytes = (uint32_t)first};
    enum weft_status status = append(g, &instr);
    if (status != WEFT_OK || first == size) return status;
    instr.ub = (uint32_t)first;
    instr.host = first;
    instr.bytes = (uint32_t)(size - first);
    return append(g, &instr);
}

static void draw_places(struct generator *g)
{
    for (unsigned i = 0; i < PLACES; i++) {
        g->ub[i] = below(g, g->program->machine.ub_bytes);
        g->host[i] = below(g, g->program->host_bytes);
        g->dram[i] = skewed(g, g->program->dram_bytes);
        g->acc[i] = skewed(g, g->program->machine.acc_rows);
    }
}

static enum weft_status draw_text(struct generator *g)
{
    struct weft_instr instr;
    size_t count = 4 + skewed(g, 196);
    enum weft_status status = append_load(g);
    while (status == WEFT_OK && g->program->instructions < count) status = append_valid(g);
    if (status == WEFT_OK && chance(g, 3)) { /* perhaps a fault */
        draw_instr(g, &instr, draw_info(g));
        status = append(g, &instr);
    }
    if (status == WEFT_OK) status = append(g, &(struct weft_instr){.op = WEFT_OP_HALT});
    return status;
}

static enum weft_status draw_program(struct generator *g)
{
    enum weft_status status = draw_memories(g);
    if (status == WEFT_OK) status = draw_layers(g);
    if (status != WEFT_OK) return status;
    g->limits = (struct weft_limits){g->program->host_bytes, g->program->dram_bytes, g->program->layer_count};
    weft_config_reset(&g->config);
    draw_places(g);
    bool large = chance(g, 10);
    g->most_rows = large ? 200 : 12;
    uint64_t cells = g->program->machine.rows * g->program->machine.columns;
    g->most_cost = large || cells > 1024 ? 60000 : 3000;
    g->order.fifo = calloc(g->program->machine.fifo_tiles, sizeof *g->order.fifo);
    g->spare_fifo = calloc(g->program->machine.fifo_tiles, sizeof *g->order.fifo);
    status = g->order.fifo && g->spare_fifo ? draw_text(g) : WEFT_NO_MEMORY;
    free(g->order.fifo);
    free(g->spare_fifo);
    return status;
}

enum weft_status fuzz_generate(struct weft_program **out, uint64_t seed)
{
    struct generator g = {.random = {seed}};
    *out = NULL;
    struct weft_machine machine = draw_machine(&g);
    enum weft_status status = weft_program_create(&g.program, &machine);
    if (status != WEFT_OK) return status;
    status = draw_program(&g);
    if (status == WEFT_OK) *out = g.program;
    else weft_program_free(g.program);
    return status;
}
