/* conformance_test.c: one of ONNX's backend tests: the model, compiled and run on each of its data sets. */
#include "conformance.h"
#include "inputs.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct test {
    const struct conformance_options *options;
    struct conformance_result *result;
    struct weft_diag diag; /* keeps the first message */
    const char *folder;
    char *set; /* of its data */
    struct weft_arrays inputs, wanted, got;
    struct weft_network *network;
    struct weft_program *program;
    struct weft_sim *sim;
};

static void keep_first(void *user, const char *message)
{
    struct test *t = user;
    size_t length = strlen(t->folder);
    if (!strncmp(message, t->folder, length) && message[length] == '/')
        message += length + 1; /* the line names the folder already */
    if (!t->result->reason[0])
        snprintf(t->result->reason, sizeof t->result->reason, "%.*s", (int)strcspn(message, "\n"), message);
}

/* --- files ------------------------------------------------------------------------------------------------------------- */

/* SET/input_0.pb, SET/input_1.pb, ...: as many as there are. */
static enum weft_status load_numbered(struct weft_arrays *out, struct test *t, const char *kind)
{
    char *paths[CONFORMANCE_FILES_MAX];
    size_t count = 0;
    enum weft_status status = WEFT_OK;
    for (; count < CONFORMANCE_FILES_MAX && !status; count++) {
        if (asprintf(&paths[count], "%s/%s_%zu.pb", t->set, kind, count) < 0) {
            status = WEFT_NO_MEMORY;
            break;
        }
        if (access(paths[count], F_OK)) {
            free(paths[count]);
            break;
        }
    }
    if (!status)
        status = inputs_load(out, (const char *const *)paths, count, &t->diag);
    while (count)
        free(paths[--count]);
    return status;
}

static bool names_input(const struct test *t, const char *name)
{
    struct weft_array port;
    for (size_t i = 0; weft_network_port(t->network, false, i, &port); i++)
        if (!strcmp(port.name, name))
            return true;
    return false;
}

static struct weft_array *find(const struct weft_arrays *arrays, const char *name)
{
    for (size_t i = 0; i < arrays->count; i++)
        if (!strcmp(arrays->items[i].name, name))
            return &arrays->items[i];
    return NULL;
}

static enum weft_status rename_array(struct weft_array *array, const char *name)
{
    char *copy = strdup(name);
    if (!copy)
        return WEFT_NO_MEMORY;
    free(array->name);
    array->name = copy;
    return WEFT_OK;
}

/* Data belongs to inputs by order; where a file names another tensor than the model does, the order rules. (What was bound is no input any
 * more.) */
static enum weft_status name_inputs(struct test *t)
{
    size_t port_index = 0;
    struct weft_array port;
    enum weft_status status = WEFT_OK;
    for (size_t i = 0; i < t->inputs.count && !status; i++) {
        if (names_input(t, t->inputs.items[i].name))
            continue;
        while (weft_network_port(t->network, false, port_index, &port) && find(&t->inputs, port.name))
            port_index++;
        if (weft_network_port(t->network, false, port_index, &port))
            status = rename_array(&t->inputs.items[i], port.name);
    }
    return status;
}

/* --- running ----------------------------------------------------------------------------------------------------------- */

static enum weft_status load_model(struct test *t, const struct weft_compile_options *options)
{
    char *model;
    if (asprintf(&model, "%s/model.onnx", t->folder) < 0)
        return WEFT_NO_MEMORY;
    enum weft_status status = weft_network_load(&t->network, model, options, &t->diag);
    free(model);
    return status;
}

static enum weft_status compile(struct test *t)
{
    struct weft_compile_options options = t->options->common.compile;
    options.bindings = &t->inputs;
    enum weft_status status = load_model(t, &options);
    if (!status)
        status = name_inputs(t);
    return status ? status : weft_compile(&t->program, t->network, &t->options->machine, &options, &t->diag);
}

static enum weft_status prepare(struct test *t)
{
    struct weft_sim_options options = {.engine = t->options->engine, .name = t->set};
    enum weft_status status = weft_sim_create(&t->sim, t->program, &options, &t->diag);
    if (!status)
        status = inputs_fit_unread(&t->inputs, t->network, t->program, &t->diag);
    return status ? status : inputs_write(t->sim, t->program, t->set, &t->inputs, false, &t->diag);
}

/* NumPy has no bfloat16: where the network gives it, files and arrays hold its bits as uint16. (ONNX up to 1.12 cut these bits off where it
 * now rounds; hence arrays_close grants them one digit.) */
static void read_as_bf16(struct weft_array *array)
{
    if (!strcmp(array->element, "uint16"))
        strcpy(array->element, "bfloat16");
}

static bool compare(struct test *t)
{
    char *reason = t->result->reason;
    struct weft_array port;
    for (size_t i = 0; weft_network_port(t->network, true, i, &port); i++) {
        struct weft_array *got = find(&t->got, port.name);
        if (i >= t->wanted.count)
            return snprintf(reason, CONFORMANCE_REASON, "output %s: %s has no output_%zu.pb", port.name, cli_base_name(t->set), i), false;
        if (!got)
            return snprintf(reason, CONFORMANCE_REASON, "output %s: the program does not give it", port.name), false;
        if (!strcmp(port.element, "bfloat16"))
            read_as_bf16(got), read_as_bf16(&t->wanted.items[i]);
        if (!arrays_close(reason, CONFORMANCE_REASON, got, &t->wanted.items[i], t->options->rtol, t->options->atol))
            return false;
    }
    return true;
}

/* Of a model and data that are both refused (sequences, strings), the model says why. */
static enum weft_status load_data(struct test *t)
{
    enum weft_status status = load_numbered(&t->inputs, t, "input");
    if (!status)
        status = load_numbered(&t->wanted, t, "output");
    if (!status)
        return WEFT_OK;
    char reason[CONFORMANCE_REASON];
    memcpy(reason, t->result->reason, sizeof reason);
    t->result->reason[0] = 0;
    if (!load_model(t, &t->options->common.compile))
        memcpy(t->result->reason, reason, sizeof reason);
    return status;
}

/* What is refused is unsupported; what runs and gives something else has failed. */
static void judge(struct test *t)
{
    enum weft_status status = load_data(t);
    if (!status)
        status = compile(t);
    t->result->outcome = CONFORMANCE_UNSUPPORTED;
    if (!status)
        status = prepare(t);
    if (!status) {
        status = weft_sim_run(t->sim, &t->diag);
        if (!status)
            status = outputs_read(&t->got, t->sim, t->program, t->set, &t->diag);
        t->result->outcome = status || !compare(t) ? CONFORMANCE_FAILED : CONFORMANCE_PASSED;
    }
    if (status && !t->result->reason[0])
        snprintf(t->result->reason, CONFORMANCE_REASON, status == WEFT_NO_MEMORY ? "out of memory" : "refused without a reason");
}

static void release(struct test *t)
{
    weft_arrays_free(&t->got);
    weft_arrays_free(&t->wanted);
    weft_arrays_free(&t->inputs);
    weft_sim_free(t->sim);
    weft_program_free(t->program);
    weft_network_free(t->network);
}

static void run_set(struct conformance_result *out, const char *folder, char *set, const struct conformance_options *options)
{
    struct test t = {.options = options, .result = out, .folder = folder, .set = set};
    t.diag = (struct weft_diag){keep_first, &t, 0};
    judge(&t);
    release(&t);
}

static int is_set(const struct dirent *entry)
{
    return !strncmp(entry->d_name, "test_data_set_", 14);
}

void conformance_test(struct conformance_result *out, const char *folder, const struct conformance_options *options)
{
    struct dirent **sets;
    int count = scandir(folder, &sets, is_set, versionsort);
    *out = (struct conformance_result){CONFORMANCE_PASSED, ""};
    if (count <= 0)
        *out =
            (struct conformance_result){CONFORMANCE_FAILED, "there is no folder test_data_set_0 with inputs and outputs beside model.onnx"};
    for (int i = 0; i < count; i++) {
        char *path = NULL;
        if (out->outcome == CONFORMANCE_PASSED) {
            if (asprintf(&path, "%s/%s", folder, sets[i]->d_name) < 0)
                *out = (struct conformance_result){CONFORMANCE_FAILED, "out of memory"};
            else
                run_set(out, folder, path, options), free(path);
        }
        free(sets[i]);
    }
    if (count >= 0)
        free(sets);
}
