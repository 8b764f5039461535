/* weft_asm.h: text to program and back. The one public header of asm/. The language is docs/assembly.md. */
#ifndef WEFT_ASM_H
#define WEFT_ASM_H

#include <stdio.h>
#include "weft_isa.h"

/* Assembles `text` (`file` names it in messages; .npy files are looked for beside it). Each error is reported as
 * "FILE:LINE:COLUMN: message" with the source line and a caret beneath, and assembly goes on to the next line.
 * `machine` is used where the text has no .machine directive; NULL: the directive is required. */
enum weft_status weft_asm_assemble(struct weft_program **out, const char *text, size_t bytes, const char *file,
                                   const struct weft_machine *machine, struct weft_diag *diag);
enum weft_status weft_asm_assemble_file(struct weft_program **out, const char *path, const struct weft_machine *machine,
                                        struct weft_diag *diag);

/* Writes assembly that assembles to the same bytes (every section of the program). */
enum weft_status weft_asm_disassemble(FILE *out, const struct weft_program *program, struct weft_diag *diag);

/* One instruction as text, without newline, for traces, faults and the debugger. `program` may be NULL (no symbols). */
void weft_asm_format(char *out, size_t size, const struct weft_instr *instr, const struct weft_program *program);

#endif
