/* built.h: networks given as text, compiled for a small machine, and their runs compared; all of it asserts (cmocka). For the tests of this folder. */
#ifndef WEFT_TESTS_BUILT_H
#define WEFT_TESTS_BUILT_H

#include "weft_compiler.h"
#include "weft_sim.h"

#define HEAD "<ir_version: 8, opset_import: [\"\" : 13]>\n"
#define WEIGHTS(name, shape, seed) name " = RandomNormal <shape = [" shape "], scale = 0.3, seed = " seed "> ()\n"

struct built { struct weft_network *network; struct weft_program *program; };

struct built build(const char *text, const char *format, const char *const *settings /* of the machine `tiny`, as for --set; NULL ends them */);
struct built build_for(const char *text, const char *format, const char *machine, const char *const *settings);
int differing_integers(const struct built *built, const char *reference); /* of bytes in all outputs: run on the machine, and `reference` (text) interpreted */
struct built build_by(const char *text, const struct weft_compile_options *options, const char *const *settings); /* for `tiny` */
void drop(struct built *built);
struct weft_sim *run(const struct weft_program *program, enum weft_engine engine); /* with random inputs, the same for all engines */
void same_outputs(const struct weft_program *a, const struct weft_sim *sim_a, const struct weft_program *b, const struct weft_sim *sim_b);
/* The end of a comparison: `b` gives what `a` gives, and the same in every engine. All four are freed. */
void same_and_drop(struct built *a, struct weft_sim *sim_a, struct built *b, struct weft_sim *sim_b);
void same_memories(const struct weft_sim *a, const struct weft_sim *b);
void same_in_every_engine(const struct weft_program *program, const struct weft_sim *fast); /* all memories; of the clocked twin all counters too */

#endif
