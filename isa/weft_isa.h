/* weft_isa.h: what an instruction, a machine, a number and a program file are. The public header of isa/, but for weft_yaml.h.
 *
 * Everything else in Weft stands on this folder and this folder stands on nothing of Weft.
 *
 * Conventions of every public header: functions return enum weft_status and put results in `out`, which comes first;
 * what went wrong, for a person, goes to the diagnostics sink. `**out` is freed by the caller with the type's _free;
 * a returned pointer is borrowed. Bugs assert; input never does. Nothing here keeps mutable state outside a handle.
 */
#ifndef WEFT_ISA_H
#define WEFT_ISA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "numbers of files and of the machine are little-endian, and are read and borrowed as they stand: Weft runs on little-endian hosts"
#endif

/* --- status and diagnostics -------------------------------------------------------------------------------------- */

enum weft_status { WEFT_OK = 0, WEFT_ERROR = 1 /* said to the sink */, WEFT_NO_MEMORY = 2 };

/* Where messages go. `report` is called once a message, without a newline. A NULL sink is silent. */
struct weft_diag {
    void (*report)(void *user, const char *message);
    void *user;
    unsigned errors; /* counted by weft_error */
};

/* Reports "FILE: place: what is wrong" and returns WEFT_ERROR, so `return weft_error(diag, ...)` reads well. */
enum weft_status weft_error(struct weft_diag *diag, const char *format, ...) __attribute__((format(printf, 2, 3)));
void weft_note(struct weft_diag *diag, const char *format, ...) __attribute__((format(printf, 2, 3)));
void weft_diag_stderr(void *user, const char *message); /* a ready `report`: "weft: MESSAGE\n"; user unused */

/* Nearest of `count` names to `word` (edit distance at most a third of its length), or NULL: "did you mean". */
const char *weft_nearest(const char *word, const char *const *names, size_t count);

/* --- numbers (numbers.c): exact on every host ---------------------------------------------------------------------- */

enum weft_format {
#define WEFT_FORMAT(number, name, bytes, meaning) WEFT_FORMAT_##name = number,
#include "functions.def"
};
enum weft_function {
#define WEFT_FUNCTION(number, name, meaning) WEFT_FUNCTION_##name = number,
#include "functions.def"
};
enum weft_reduction {
#define WEFT_REDUCTION(number, name, meaning) WEFT_REDUCTION_##name = number,
#include "functions.def"
};

unsigned weft_format_bytes(enum weft_format format);
const char *weft_format_name(enum weft_format format);
bool weft_format_find(enum weft_format *out, const char *name);
bool weft_format_is_integer(enum weft_format format);
int32_t weft_format_low(enum weft_format format); /* integer formats: least and greatest value */
int32_t weft_format_high(enum weft_format format);

int32_t weft_load_integer(const void *bytes, enum weft_format format); /* u8 s8 s16 s32, little-endian */
float weft_load_float(const void *bytes, enum weft_format format);     /* bf16 f32 */
void weft_store_integer(void *bytes, enum weft_format format, int32_t value);
void weft_store_float(void *bytes, enum weft_format format, float value); /* bf16: nearest even */

float weft_half_to_float(uint16_t half); /* IEEE binary16, which arrays may hold */
uint16_t weft_half_from_double(double value); /* nearest even */

float weft_apply(enum weft_function function, float x, float alpha); /* all but `table` */
void weft_apply_many(float *x, size_t n, enum weft_function function, float alpha); /* the same of each, several at a time */

/* The integer nearest to f (ties to even), plus zero, saturated to s32 and then to low..high. NaN gives zero point. */
int32_t weft_requantise(float f, int32_t zero, int32_t low, int32_t high);

/* --- instructions (instr.c) ----------------------------------------------------------------------------------------- */

enum { WEFT_WORD_BYTES = 16, WEFT_PATTERNS = 16 };

enum weft_unit { WEFT_UNIT_CONTROL, WEFT_UNIT_HOST_IN, WEFT_UNIT_HOST_OUT, WEFT_UNIT_FETCH, WEFT_UNIT_DRAM, WEFT_UNIT_MATRIX, WEFT_UNIT_VECTOR, WEFT_UNITS };

enum weft_opcode {
#define WEFT_INSTR(ID, opcode, mnemonic, UNIT, summary) WEFT_OP_##ID = opcode,
#include "isa.def"
};

/* A decoded instruction: every operand of isa.def under its own name. Operands that the opcode lacks are zero. */
struct weft_instr {
    enum weft_opcode op;
    uint64_t host, dram;
    uint32_t ub, bytes, rows, first_row, first_lane, lanes, stride, acc, k, n, layer, code, reg, value, value0, value1;
    uint8_t a, b, d, fmt, fmt_a, fmt_b, func, reduce;
    uint8_t next, accumulate, transpose, residual, bias, scale, facc, pool, raw;
};

enum weft_kind { WEFT_KIND_UINT, WEFT_KIND_FLAG, WEFT_KIND_PATTERN, WEFT_KIND_FORMAT, WEFT_KIND_FUNCTION, WEFT_KIND_REDUCE, WEFT_KIND_REGISTER, WEFT_KIND_RAW };
#define WEFT_REQUIRED UINT64_MAX

struct weft_field {
    const char *name, *meaning;
    enum weft_kind kind;
    uint8_t lsb, width;
    uint64_t dflt; /* WEFT_REQUIRED, or what a missing operand means */
    uint16_t offset, size; /* of the member in struct weft_instr */
};
struct weft_instr_info {
    const char *mnemonic, *summary;
    enum weft_opcode op;
    enum weft_unit unit;
    const struct weft_field *fields; /* in assembly order */
    size_t field_count;
};

const struct weft_instr_info *weft_instr_table(size_t *count);
const struct weft_instr_info *weft_instr_find(const char *mnemonic); /* NULL: no such mnemonic */
const struct weft_instr_info *weft_instr_info(enum weft_opcode op);  /* NULL: no such opcode */
const char *weft_unit_name(enum weft_unit unit);
const char *weft_function_name(unsigned number);  /* NULL: there is none */
const char *weft_reduction_name(unsigned number); /* NULL: there is none */
uint64_t weft_field_get(const struct weft_instr *instr, const struct weft_field *field);
void weft_field_set(struct weft_instr *instr, const struct weft_field *field, uint64_t value);
/* An operand in words, for messages and timelines: "rows=128", "fmt=bf16", a set flag's name, a register's. Returns as snprintf. */
int weft_field_text(char *out, size_t size, const struct weft_field *field, uint64_t value);

/* False where the opcode is unknown, an unclaimed bit is set, or an enumeration has no such member. */
bool weft_decode(struct weft_instr *out, const uint8_t word[WEFT_WORD_BYTES]);
/* False where an operand does not fit its field. */
bool weft_encode(uint8_t word[WEFT_WORD_BYTES], const struct weft_instr *instr);
void weft_instr_init(struct weft_instr *out, enum weft_opcode op); /* defaults; required operands zero */

/* --- configuration registers and access patterns (pattern.c) --------------------------------------------------------- */

/* Row r, lane l of a pattern lies at   base + digits(r) . strides + digits(l) . strides   where
 *   r = (i2 x count1 + i1) x count0 + i0        contributes  i0 stride0 + i1 stride1 + i2 stride2
 *   l = (y x block_runs + x) x run_length + c   contributes  c x element bytes + x run_stride + y block_stride
 * A row index of count0 x count1 x count2 or more is a fault. The base is a UB address; strides are bytes. */
struct weft_pattern {
    uint32_t base, count0, stride0, count1, stride1, count2, stride2;
    uint32_t run_length, run_stride, block_runs, block_stride;
};
struct weft_config { /* what `set` writes; registers.def says what each is */
    struct weft_pattern pattern[WEFT_PATTERNS];
    float mul_a, mul_b, mul_out, alpha;
    int32_t zero_a, zero_b, zero_out, clamp_low, clamp_high;
    uint32_t table, bias, bias_period, scale, scale_period; /* UB addresses; periods in lanes */
    uint32_t win_count0, win_stride0, win_count1, win_stride1;
};
enum weft_half { WEFT_HALF_NONE, WEFT_HALF_UINT, WEFT_HALF_SINT, WEFT_HALF_FLOAT };
struct weft_register {
    uint16_t number;
    char name[16]; /* "p3.loop0", "v.clamp" */
    const char *meaning;
    enum weft_half half[2];
    uint32_t reset[2];
};

const struct weft_register *weft_register_table(size_t *count);
const struct weft_register *weft_register_find(const char *name); /* NULL: no such register */
const struct weft_register *weft_register_at(uint32_t number); /* NULL: no such register */
void weft_config_reset(struct weft_config *config);
bool weft_config_set(struct weft_config *config, uint32_t reg, uint32_t value0, uint32_t value1); /* false: no such register */

uint64_t weft_pattern_address(const struct weft_pattern *pattern, uint64_t row, uint64_t lane, unsigned element_bytes);
uint64_t weft_pattern_rows(const struct weft_pattern *pattern); /* count0 x count1 x count2, saturated to 2^63 */

/* [low, high): the smallest interval that holds every byte of the rows and lanes given. Closed form. */
struct weft_range { uint64_t low, high; };
struct weft_range weft_pattern_range(const struct weft_pattern *pattern, uint64_t first_row, uint64_t rows, uint64_t first_lane, uint64_t lanes,
                                     unsigned element_bytes);

/* --- machines (machine.c) --------------------------------------------------------------------------------------------- */

enum weft_number_use { WEFT_USES_U8 = 1, WEFT_USES_S8 = 2, WEFT_USES_S16 = 4, WEFT_USES_BF16 = 8 };

struct weft_machine {
    char name[64], description[256];
    unsigned formats; /* enum weft_number_use: what the array multiplies */
#define WEFT_MACHINE_FIELD(group, name, member, low, high, unit, meaning) uint64_t member;
#define WEFT_MACHINE_FLAG(group, name, member, meaning) uint64_t member;
#include "machine.def"
};
/* low and high are the bounds of its values, of a flag 0 and 1. offset: of the member in struct weft_machine. */
struct weft_machine_field { const char *name /* "array.rows" */, *unit, *meaning; size_t offset; uint64_t low, high; bool flag; };

const struct weft_machine_field *weft_machine_fields(size_t *count);
uint64_t weft_machine_get(const struct weft_machine *machine, const struct weft_machine_field *field); /* a flag: 0 or 1 */
void weft_machine_put(struct weft_machine *machine, const struct weft_machine_field *field, uint64_t value); /* bounds are not checked */
/* `name` is a preset's name (machines/NAME.yaml beside the installed data, or in the source tree) or a path. */
enum weft_status weft_machine_load(struct weft_machine *out, const char *name, struct weft_diag *diag);
bool weft_names_file(const char *name); /* of a machine or a technology: is it a path, not a preset's name? */
/* "array.rows=128"; plain integers, or with a suffix k M G (powers of 1000), Ki Mi Gi. */
enum weft_status weft_machine_set(struct weft_machine *machine, const char *assignment, struct weft_diag *diag);
enum weft_status weft_machine_parse(struct weft_machine *out, const char *yaml, size_t bytes, const char *file /* in messages */, struct weft_diag *diag);
/* The machine as YAML without sources, as program files carry it. Caller frees *out with free. */
enum weft_status weft_machine_print(char **out, const struct weft_machine *machine);
/* Source of a field's value in the file `name`, for `weft machines NAME`; caller frees with free. */
enum weft_status weft_machine_source(char **out, const char *name, const char *field, struct weft_diag *diag);
const char *weft_data_directory(void); /* where machines/ and models/ lie: $WEFT_DATA, the source tree, or the installed share */
bool weft_machine_has(const struct weft_machine *machine, enum weft_format format); /* may the array multiply it? */

/* --- programs (program.c): the ELF file ------------------------------------------------------------------------------- */

struct weft_tensor { /* an input or output, in host memory; bytes of its span between elements hold `zero` (halo) */
    char *name;
    enum weft_format format;   /* of the bytes in host memory */
    float scale; int32_t zero; /* real = scale x (integer - zero), for integer formats */
    bool quantised;            /* false: the integers are the values themselves, and zero is only what the halo holds */
    unsigned rank; uint64_t dims[8];     /* as the network has them */
    uint64_t host;                       /* host address of the first byte */
    unsigned axes[8]; uint64_t strides[8]; /* element (i0, i1, ...) lies at host + sum of i_d x strides[d] bytes */
    uint64_t bytes;                      /* host bytes that it spans */
    char element[12];                    /* the network's own type: float32 int64 uint8 ..., NumPy's names */
    /* An input that the host looks up (an embedding): each index stands for a row of the table, which goes to the place of the element. */
    uint64_t table_rows, row_bytes, table_data; /* rows, 0: no table; bytes of one; where the table begins in the program's data */
    const uint8_t *table;                /* there; NULL in a program for timing only. Borrowed from the program */
};
struct weft_layer {
    char *name, *op, *shape; /* node name; operator; a line such as "64x56x56 -> 256x56x56, 1x1" */
    char *wait;              /* the compiler's word on what bounds it; may be NULL */
    uint64_t macs;           /* products that the network itself asks for; 0: none, or not known */
    uint64_t roofline_cycles, mapping_cycles; /* bounds of docs/metrics.md; 0: not known */
};
struct weft_probe { /* where a layer's result lies whole, for --check and the debugger: tensor.host is a UB address here */
    struct weft_tensor tensor; uint32_t layer; size_t after; /* valid once that many instructions have been executed */
    uint64_t first; /* along its first dimension: where it begins in the whole value, which may come in parts of the batch */
};
struct weft_source_line { uint32_t file; uint32_t line; }; /* index into files; line 0: none */
struct weft_symbol { char *name; char space; /* 't' text word, 'w' DRAM, 'h' host, 'u' UB */ uint64_t value, size; };

struct weft_program {
    struct weft_machine machine;
    uint8_t *text; size_t instructions;   /* instructions x 16 bytes */
    uint8_t *weights; uint64_t weights_bytes; /* DRAM from address 0; NULL: a program for timing only */
    uint8_t *data; uint64_t data_bytes, data_host; /* host constants and where they go */
    uint64_t dram_bytes, host_bytes;      /* memory that the program may touch */
    struct weft_tensor *inputs, *outputs; size_t input_count, output_count;
    struct weft_layer *layers; size_t layer_count;
    struct weft_probe *probes; size_t probe_count; /* in order of `after` */
    struct weft_symbol *symbols; size_t symbol_count;
    char **files; size_t file_count;      /* sources of the lines */
    struct weft_source_line *lines;       /* one an instruction, or NULL */
    char *network, *format, *notes;       /* where it came from; number format; a JSON object of the compiler's remarks; or NULL */
    uint64_t batch;                       /* inferences a run makes; 0 or 1: one */
    uint64_t roofline_cycles, mapping_cycles; /* of the whole; 0: not known */
    void *mapping; size_t mapping_bytes;  /* private: the mapped file that text and weights may point into */
};

enum weft_status weft_program_create(struct weft_program **out, const struct weft_machine *machine);
void weft_program_free(struct weft_program *program);
/* Written aside, then renamed. */
enum weft_status weft_program_store(const struct weft_program *program, const char *path, struct weft_diag *diag);
/* Maps the file; sizes are checked before they are trusted; decodes every word once. */
enum weft_status weft_program_load(struct weft_program **out, const char *path, struct weft_diag *diag);
bool weft_program_is(const char *path); /* does the file begin like a program? */

/* --- tensor files (npy.c): NumPy's .npy and .npz ----------------------------------------------------------------------- */

struct weft_array { char *name; /* member of an .npz, or "" */ char element[12]; /* float32 int64 uint8 bool ... */ unsigned rank; uint64_t dims[8]; void *bytes; uint64_t size;
                    char *file; /* that it came from, for messages; NULL: none */ };
struct weft_arrays { struct weft_array *items; size_t count; };
/* C order only (Fortran order is converted); little-endian; sizes are checked against the file. */
enum weft_status weft_arrays_load(struct weft_arrays *out, const char *path, struct weft_diag *diag);
/* .npz (zlib-compressed members) or .npy for one array, by the path's ending; whole or not at all. */
enum weft_status weft_arrays_store(const struct weft_arrays *arrays, const char *path, struct weft_diag *diag);
void weft_arrays_free(struct weft_arrays *arrays); /* the items, not the struct */

/* Whole files: read (at most `limit` bytes; caller frees), and written aside then renamed. */
enum weft_status weft_file_read(char **out, size_t *bytes, const char *path, size_t limit, struct weft_diag *diag);
enum weft_status weft_file_write(const char *path, const void *bytes, size_t size, struct weft_diag *diag);

/* One rule for every file that is written: aside, then renamed, so that it appears whole or not at all. What is there and no regular file
 * (a device, a FIFO, standard output) is written in place and never replaced; a symbolic link is followed, and stays one. */
struct weft_aside { int fd; /* write here */ char *path; /* of the temporary; NULL: in place */ char *target; /* behind all links */ const char *name; /* as given */ };
enum weft_status weft_aside_open(struct weft_aside *out, const char *path, struct weft_diag *diag);
/* All of it, or an error. */
enum weft_status weft_aside_put(struct weft_aside *aside, const void *bytes, size_t size, struct weft_diag *diag);
/* Puts the file in its place if `status` is WEFT_OK, else removes it. Returns the status, or why the file could not be put there. */
enum weft_status weft_aside_close(struct weft_aside *aside, enum weft_status status, struct weft_diag *diag);

/* Do two names stand for one regular file, there or not, through links of either kind? Devices and pipes never do. */
bool weft_file_same(const char *a, const char *b);

/* What lies aside is told here, so that a handler of signals can remove it; weft_aside_ does so by itself. A child that was forked has none of
 * its parent's. `path` is a file or an empty folder, borrowed until it is forgotten. */
void weft_temporary_add(char *path);
bool weft_temporary_forget(char *path); /* false: a handler is at it, and the process about to end; do not free it */
void weft_temporaries_remove(void);     /* the handler's; async-signal-safe */

/* How zlib's gzdopen writes to this name: gzipped where it ends in .gz, else as it is. */
const char *weft_gzip_mode(const char *path);

/* --- tensors of a program and arrays of a person (tensor.c) -------------------------------------------------------------- */

/* `memory` is all of the memory that tensor->host is an address of (host memory; the UB for a probe), `bytes` long; addresses are
 * checked. Reals are quantised with the tensor's scale and zero as ONNX's QuantizeLinear does; an array whose element type or shape is not the tensor's
 * is an error that says what was expected. Unpack makes an array of the tensor's element type; free it with weft_arrays_free. */
enum weft_status weft_tensor_pack(uint8_t *memory, uint64_t bytes, const struct weft_tensor *tensor, const struct weft_array *array, struct weft_diag *diag);
enum weft_status weft_tensor_unpack(struct weft_array *out, const struct weft_tensor *tensor, const uint8_t *memory, uint64_t bytes, struct weft_diag *diag);
uint64_t weft_tensor_count(const struct weft_tensor *tensor); /* elements, saturated to 2^63 */
#define WEFT_TENSOR_MOST (UINT64_C(1) << 31) /* elements of an input, an output, a probe */

/* --- what an instruction touches, and faults (effects.c) --------------------------------------------------------------- */

enum weft_space { WEFT_SPACE_UB, WEFT_SPACE_ACC, WEFT_SPACE_HOST, WEFT_SPACE_DRAM, WEFT_SPACES };
enum { WEFT_EFFECTS_MAX = 8 };
struct weft_effect { enum weft_space space; bool write; struct weft_range range; };
struct weft_effects { struct weft_effect effect[WEFT_EFFECTS_MAX]; unsigned count; };

/* The part of program-order state that validity depends on beside the registers. */
struct weft_order { uint32_t fifo_waiting /* tiles fetched and not yet taken, program order */; bool active; uint16_t active_k, active_n; uint8_t active_fmt;
                    struct { uint16_t k, n; uint8_t fmt; } *fifo; uint32_t fifo_head; /* ring of machine->fifo_tiles */ };

/* Checks one instruction against machine, program sizes, registers and FIFO order, advances `order`, and fills the
 * effects. On a fault returns false and a message that names the operand: "first_row + rows = 70 exceeds the 64 rows of p3". */
struct weft_limits { uint64_t host_bytes, dram_bytes; size_t layers; };
bool weft_check(struct weft_effects *out, struct weft_order *order, const struct weft_instr *instr, const struct weft_config *config,
                const struct weft_machine *machine, const struct weft_limits *limits, char message[256]);

/* --- closed-form timings (timing.c): equations T1 to T8 of docs/machine.md ----------------------------------------------- */

struct weft_rate { uint64_t bytes, cycles; };   /* a bandwidth as a reduced ratio: `bytes` every `cycles` */
struct weft_rate weft_rate(uint64_t bytes_per_second, uint64_t clock_hz);                         /* T1 */
uint64_t weft_passes(enum weft_format activation, enum weft_format weight);                       /* T2 */
uint64_t weft_matrix_cycles(const struct weft_machine *m, const struct weft_pattern *rows_at, uint64_t first_row, uint64_t rows,
                            uint64_t first_lane, uint64_t k, enum weft_format activation, enum weft_format weight); /* T3 */
uint64_t weft_matrix_skew(const struct weft_machine *m);                                          /* T4: rows + columns */
uint64_t weft_shift_cycles(const struct weft_machine *m, enum weft_format weight);                /* T5: rows */
uint64_t weft_tile_bytes(const struct weft_machine *m, uint64_t k, uint64_t n, enum weft_format weight); /* T6: whole, burst-rounded */
uint64_t weft_vector_cycles(const struct weft_machine *m, const struct weft_instr *instr, const struct weft_config *config); /* T7 */
uint64_t weft_ps_cycles(uint64_t picoseconds, uint64_t clock_hz);                                  /* T8: rounded up */

#endif
