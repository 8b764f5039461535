/* baseline.c: an earlier run that a speed-up is stated over, and in what its work was another. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

static void keep(char *out, size_t size, const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    snprintf(out, size, "%s", text ? text : "");
}

enum weft_status weft_baseline_load(struct weft_baseline *out, const char *path, struct weft_diag *diag)
{
    char *bytes;
    size_t size;
    enum weft_status status = weft_file_read(&bytes, &size, path, 64u << 20, diag);
    if (status)
        return status;
    json_error_t error;
    json_t *object = json_loadb(bytes, size, 0, &error);
    double rate = json_number_value(json_object_get(object, "inferences_per_second"));
    if (!object)
        status = weft_error(diag, "%s:%d: not JSON: %s; --baseline takes a report that `weft run --report json=FILE` wrote", path,
                            error.line, error.text);
    else if (!(rate > 0))
        status = weft_error(diag, "%s: no inferences_per_second; --baseline takes a report that `weft run --report json=FILE` wrote", path);
    *out = (struct weft_baseline){.path = path, .inferences_per_second = rate, .batch = (uint64_t)json_integer_value(json_object_get(object, "batch"))};
    keep(out->network, sizeof out->network, object, "network");
    keep(out->format, sizeof out->format, object, "format");
    json_decref(object);
    free(bytes);
    return status;
}

static void add(char out[REPORT_UNLIKE], const char *what, const char *theirs, const char *ours)
{
    size_t used = strlen(out);
    if (strcmp(theirs, ours))
        snprintf(out + used, REPORT_UNLIKE - used, "%s%s %s, here %s", used ? "; " : "", what, *theirs ? theirs : "unknown", *ours ? ours : "unknown");
}

void report_unlike(char out[REPORT_UNLIKE], const struct weft_report_input *in)
{
    const struct weft_program *p = in->program;
    char theirs[32], ours[sizeof in->baseline->network];
    *out = 0;
    snprintf(ours, sizeof ours, "%s", p->network ? p->network : ""); /* cut as the other one was */
    add(out, "network", in->baseline->network, ours);
    add(out, "format", in->baseline->format, p->format ? p->format : "");
    snprintf(theirs, sizeof theirs, "%" PRIu64, in->baseline->batch);
    snprintf(ours, sizeof ours, "%" PRIu64, report_batch(p));
    add(out, "batch", theirs, ours);
}
