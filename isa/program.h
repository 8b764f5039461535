/* program.h: what the parts of the program file share. Private to isa/.
 *
 * The file is ELF, 64-bit, little-endian, EM_NONE:
 *
 *   .text                   instruction words
 *   .weights .data          DRAM from address 0; host constants, sh_addr says where they go. Compressed (SHF_COMPRESSED) where that
 *                           pays, else aligned to pages and used where they lie in the mapped file
 *   .dram .host .ub         no bytes (SHT_NOBITS): the memories, so that symbols have a section
 *   .symtab .strtab         locals: symbols of the program; globals: its inputs and outputs
 *   .note.weft.machine      the machine as YAML
 *   .note.weft.program      a JSON object: sizes, bounds, where it came from
 *   .note.weft.tensors      a JSON object: inputs, outputs
 *   .note.weft.layers       a JSON array
 *   .note.weft.probes       a JSON array
 *   .note.weft.lines        a JSON object: files; file and line of each instruction, in turn
 *   .note.weft.remarks      the compiler's remarks as they are
 */
#ifndef WEFT_ISA_PROGRAM_H
#define WEFT_ISA_PROGRAM_H

#include <jansson.h>

#include "weft_isa.h"

enum program_part { PART_MACHINE = 1, PART_PROGRAM, PART_TENSORS, PART_LAYERS, PART_PROBES, PART_LINES, PART_REMARKS, PART_END };
extern const char *const program_part_names[PART_END]; /* ".note.weft.machine"; [0] is NULL */
#define PROGRAM_NOTE_OWNER "weft"

/* The payload of a JSON part; NULL: no memory, or text that is not UTF-8, or a number that JSON cannot hold. The caller decrefs. */
json_t *program_to_json(const struct weft_program *program, enum program_part part);

/* Fills in what the part describes. `program` owns what is put there, also after an error. */
enum weft_status program_from_json(struct weft_program *program, enum program_part part, const json_t *json, const char *path,
                                   struct weft_diag *diag);

#endif
