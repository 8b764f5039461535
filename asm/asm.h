/* asm.h: what the files of asm/ share. Text becomes statements (lexer.l, grammar.y, build.c), which live in an arena that the
 * assembler owns: no token and no node is freed on its own, so a discarded one cannot leak. Then three walks over the statements:
 *
 *     declare   names of labels and .equ            (symbols.c)
 *     layout    sections, addresses, layers         (layout.c)
 *     emit      words, bytes, tables                (emit.c, operands.c, tables.c)
 *
 * Every walk goes on after an error, so that one run reports all of them; messages.c holds them back and shows them by position.
 */
#ifndef ASM_H
#define ASM_H

#include "weft_asm.h"

/* A range of bytes of the text and the line that it begins on (from 1). Texts are shorter than 2 GiB. */
struct span {
    uint32_t begin, end, line;
};

/* --- arena.c ----------------------------------------------------------------------------------------------------------- */
struct arena_block;
struct arena {
    struct arena_block *blocks;
};
void *arena_take(struct arena *arena, size_t bytes); /* zeroed; NULL: no memory */
void arena_free(struct arena *arena);

/* --- nodes ------------------------------------------------------------------------------------------------------------- */
enum expr_kind { EXPR_INTEGER, EXPR_REAL, EXPR_NAME, EXPR_STRING, EXPR_LIST, EXPR_NAMED, EXPR_UNARY, EXPR_BINARY, EXPR_CALL };
enum expr_op {
    OP_NONE,
    OP_ADD = '+',
    OP_SUB = '-',
    OP_MUL = '*',
    OP_DIV = '/',
    OP_MOD = '%',
    OP_AND = '&',
    OP_OR = '|',
    OP_NOT = '~',
    OP_SHL = '<',
    OP_SHR = '>'
};

/* NAME, STRING: the text of `at`. NAMED: `name = right`. CALL: `name(right)`. LIST: items from `left`. UNARY: operand is `right`. */
struct expr {
    uint8_t kind, op;
    struct span at;
    struct expr *next; /* the argument or list item behind this one */
    union {
        uint64_t integer;
        double real;
        struct {
            struct expr *left, *right;
        };
    };
    uint32_t name_begin, name_end; /* NAMED, CALL */
};
struct expr_list {
    struct expr *first, *last;
};

enum section { SECTION_TEXT, SECTION_WEIGHTS, SECTION_DATA, SECTIONS };
enum statement_kind { STATEMENT_LABEL, STATEMENT_INSTRUCTION, STATEMENT_DIRECTIVE };
struct statement {
    struct statement *next;
    uint8_t kind, section;
    bool laid;        /* layout gave it its place */
    struct span head; /* label, mnemonic or directive */
    struct expr *args;
    struct expr *file, *line; /* @ file : line, or NULL */
    const struct directive *directive;
    struct symbol *symbol;
    uint64_t address, bytes;    /* in its section; TEXT: index of the instruction */
    struct weft_arrays *arrays; /* .npy */
};

/* --- symbols.c --------------------------------------------------------------------------------------------------------- */
enum value_kind { VALUE_INTEGER, VALUE_REAL, VALUE_BITS /* of an f32, in `integer` */ };
struct value {
    enum value_kind kind;
    __int128 integer;
    double real;
};
struct symbol {
    const char *name;
    size_t length;
    struct span at;
    struct symbol *next;
    const struct expr *definition; /* .equ; NULL: a label */
    char space;                    /* label: 't' 'w' 'h' */
    bool placed, busy, failed, known;
    uint64_t value;     /* of a label */
    struct value worth; /* of a constant, once it is known: so that constants made of constants cost no more than their number */
};

struct message {
    struct span at;
    const char *text;
};
enum { MESSAGES_KEPT = 200, MESSAGES_SHOWN = 20, DEPTH_LIMIT = 1500 };
#define IMAGE_LIMIT (UINT64_C(1) << 30) /* bytes of one image: more is a slip of the pen, and never allocated */
#define TEXT_LIMIT ((size_t)INT32_MAX - 2)

struct place {
    uint64_t position, low, high;
    bool entered;
};

struct assembler {
    const char *text;
    size_t bytes;
    const char *file;
    struct weft_diag *diag;
    struct arena arena;
    struct statement *first, *last;
    void *symbol_tree;
    struct symbol *symbols;
    size_t symbol_count;
    struct place place[SECTIONS];
    enum section current;
    struct weft_program *program;
    const struct weft_machine *fallback; /* where the text names no machine; may be NULL */
    bool machine_known, machine_defined, sources_given, symbols_given, dram_given, host_given;
    struct span machine_at, dram_at, host_at;
    uint64_t machine_fields_set; /* a bit a field, by .machine_set */
    struct message messages[MESSAGES_KEPT];
    size_t message_count;
    bool no_memory;
    unsigned depth; /* of expressions being evaluated */
};

void symbols_declare(struct assembler *as, struct statement *label);
void symbols_define(struct assembler *as, const struct expr *name, const struct expr *definition);
struct symbol *symbols_find(const struct assembler *as, const char *name, size_t length);
void symbols_free(struct assembler *as);

/* --- messages.c -------------------------------------------------------------------------------------------------------- */
void message_add(struct assembler *as, struct span at, const char *format, ...) __attribute__((format(printf, 3, 4)));
void message_syntax(struct assembler *as, struct span at, const char *message); /* what the parser says */
void message_flush(struct assembler *as);
const char *message_suggest(struct assembler *as, const char *word, const char *const *names,
                            size_t count);                                    /* "; did you mean ...?" or "" */
const char *message_word(struct assembler *as, uint32_t begin, uint32_t end); /* that text, ended by a NUL, in the arena; never NULL */
void message_no_memory(struct assembler *as);
struct capture {
    struct weft_diag diag;
    char text[512];
}; /* a sink that keeps the first message */
void capture_init(struct capture *capture);

/* --- lexer.l, grammar.y, build.c ------------------------------------------------------------------------------------------ */
void parse_text(struct assembler *as);
struct expr *build_integer(struct assembler *as, struct span at);
struct expr *build_character(struct assembler *as, struct span at);
struct expr *build_real(struct assembler *as, struct span at);
struct expr *build_word(struct assembler *as, enum expr_kind kind, struct span at);
struct expr *build_one_operand(struct assembler *as, enum expr_op op, struct span at, struct expr *operand);
struct expr *build_two_operands(struct assembler *as, enum expr_op op, struct span at, struct expr *left, struct expr *right);
struct expr *build_prefixed(struct assembler *as, enum expr_kind kind, struct span at, struct span name, struct expr *value);
struct expr *build_list(struct assembler *as, struct span at, struct expr_list items);
struct expr_list build_append(struct expr_list list, struct expr *item);
void build_label(struct assembler *as, struct span name);
void build_instruction(struct assembler *as, struct span name, struct expr_list args, struct expr_list place);
void build_directive(struct assembler *as, struct span name, struct expr_list args, struct expr_list place);

/* --- expr.c: values ------------------------------------------------------------------------------------------------------- */
/* Each is false where it has reported an error. */
bool expr_value(struct assembler *as, const struct expr *e, struct value *out);
bool expr_integer(struct assembler *as, const struct expr *e, const char *what, int64_t low, uint64_t high, int64_t *out);
bool expr_unsigned(struct assembler *as, const struct expr *e, const char *what, uint64_t high, uint64_t *out);
bool expr_float(struct assembler *as, const struct expr *e, const char *what, uint32_t *bits); /* bits of an f32 */
char *expr_string(struct assembler *as, const struct expr *e, const char *what);               /* unescaped, in the arena; NULL: reported */
const char *expr_word(struct assembler *as, const struct expr *e); /* its text as written, in the arena; never NULL */
bool expr_format(struct assembler *as, const struct expr *e, enum weft_format *out);
uint16_t float_to_bf16(float value);

/* --- directives.c ------------------------------------------------------------------------------------------------------- */
struct directive {
    const char *name, *usage, *meaning;
    void (*declare)(struct assembler *, struct statement *);
    void (*layout)(struct assembler *, struct statement *);
    void (*emit)(struct assembler *, struct statement *);
};
const struct directive *directive_table(size_t *count);
const struct directive *directive_find(const char *name);

/* Parameters of a directive: positional in order, or by name. Positional arguments beyond `count` start at *rest (NULL: they are errors).
 */
struct parameter {
    const char *name;
    bool required;
    bool named_only;
};
bool arguments_bind(struct assembler *as, const struct statement *st, const struct parameter *parameters, size_t count,
                    const struct expr **bound, const struct expr **rest);

/* --- the walks ---------------------------------------------------------------------------------------------------------- */
void layout_walk(struct assembler *as);
void emit_walk(struct assembler *as);
void emit_instruction(struct assembler *as, struct statement *st);                 /* operands.c */
void *table_append(struct assembler *as, void *items, size_t *count, size_t size); /* grown array with a zeroed new item, or NULL */
char *table_string(struct assembler *as, const char *string);                      /* a copy that the program owns */
void assembler_finish(struct assembler *as);
void machine_settle(struct assembler *as); /* machine_text.c */

/* --- format.c: one instruction as text, and pieces that the disassembler shares ---------------------------------------------- */
struct naming {
    const char *(*find)(const void *user, char space, uint64_t value);
    const void *user;
};                                                                                                     /* NULL: no name */
bool format_instruction(char *out, size_t size, const struct weft_instr *instr, struct naming naming); /* false: has no plain text */
void format_float(char *out, size_t size, float value);
bool format_is_name(const char *name);
bool function_find(unsigned *out, const char *name);
bool reduction_find(unsigned *out, const char *name);

/* --- disassembler ---------------------------------------------------------------------------------------------------------- */
struct label {
    char space;
    bool placed;
    uint64_t value;
    size_t index;
    char *name;
};
struct labels {
    struct label *items;
    size_t count;
    bool natural; /* labels alone give the symbol table back */
};
enum weft_status labels_create(struct labels *out, const struct weft_program *program);
void labels_free(struct labels *labels);
const char *labels_find(const void *labels, char space, uint64_t value);
size_t labels_first(const struct labels *labels, char space, uint64_t value); /* index of the first label at or behind it */
void disasm_header(FILE *out, const struct weft_program *program, const struct labels *labels);
void disasm_image(FILE *out, const uint8_t *bytes, uint64_t size, uint64_t base, char space, const struct labels *labels);
void disasm_string(FILE *out, const char *string);

#endif
