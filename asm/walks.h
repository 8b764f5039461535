/* walks.h: the functions that directives.def names, each `void f(struct assembler *, struct statement *)`. */
#ifndef ASM_WALKS_H
#define ASM_WALKS_H

#include "asm.h"

typedef void walk_function(struct assembler *as, struct statement *st);

/* layout.c */
walk_function layout_text, layout_weights, layout_data, declare_equ, emit_equ, layout_symbol, layout_source;
/* bytes.c */
walk_function layout_numbers, emit_numbers, layout_hex, emit_hex, layout_fill, emit_fill, layout_align, layout_npy, emit_npy, layout_word,
    emit_word;
/* emit.c */
walk_function emit_dram, emit_host, emit_no_weights, emit_network, emit_format, emit_notes, emit_batch, emit_bounds;
/* machine_text.c */
walk_function layout_machine, layout_machine_define, layout_machine_set;
/* tables.c */
walk_function layout_layer, emit_symbol;
/* tensors.c */
walk_function emit_input, emit_output, emit_probe;

/* bytes.c: room for bytes in the current section; false: reported. */
bool bytes_reserve(struct assembler *as, struct statement *st, uint64_t count, uint64_t unit);
/* emit.c: where the statement's bytes go, or NULL (nothing was laid). */
uint8_t *emit_place(struct assembler *as, const struct statement *st);

#endif
