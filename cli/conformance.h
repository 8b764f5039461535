/* conformance.h: the parts of `weft conformance`. Private to cli/. */
#ifndef WEFT_CLI_CONFORMANCE_H
#define WEFT_CLI_CONFORMANCE_H

#include "cli.h"
#include "weft_sim.h"

enum { CONFORMANCE_SECONDS = 60, CONFORMANCE_MEMORY_GIB = 4, CONFORMANCE_FILES_MAX = 64, CONFORMANCE_REASON = 400 };

struct conformance_options {
    struct cli_options common;
    const char *folder;
    struct weft_machine machine;
    enum weft_engine engine;
    unsigned seconds; /* of one test */
    double rtol, atol;
};

enum conformance_outcome { CONFORMANCE_PASSED, CONFORMANCE_FAILED, CONFORMANCE_UNSUPPORTED, CONFORMANCE_OUTCOMES };

/* What came of a test, or of one of its data sets. `reason` is one line; empty where it passed. */
struct conformance_result {
    enum conformance_outcome outcome;
    char reason[CONFORMANCE_REASON];
};

/* Runs the test in `folder` (model.onnx, test_data_set_N/) in this process (conformance_test.c). */
void conformance_test(struct conformance_result *out, const char *folder, const struct conformance_options *options);

/* Where two arrays differ beyond the tolerances, and how: false, and one line in `reason` (compare.c). Floats as NumPy's allclose, NaN equal to
 * NaN; all else exactly. */
bool arrays_close(char *reason, size_t size, const struct weft_array *got, const struct weft_array *wanted, double rtol, double atol);

/* Every test under the folder, each in a process of its own with bounds on its time and memory: a line for each that did not pass, then the
 * totals (conformance.c). Error: there is none, or one failed. */
enum weft_status conformance_run(struct conformance_options *options, struct weft_diag *diag);

#endif
