/* cmd_machines.c: weft machines [MACHINE] */
#include "cli.h"
#include "folder.h"

#include <inttypes.h>
#include <stdlib.h>

struct options {
    struct cli_options common;
    const char *name;
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct options *options = state->input;
    if (key == ARGP_KEY_ARG && !options->name)
        options->name = text;
    else if (key == ARGP_KEY_ARG)
        argp_error(state, "one machine at a time; '%s' is a second one", text);
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

static const struct argp argp = {NULL,
                                 parse,
                                 "[MACHINE]",
                                 "Lists the machines there are, or every value of one with its unit and source.\v"
                                 "A machine is a YAML file: copy one from the folder machines/, change it, and give its path as -m. "
                                 "--set FIELD=VALUE changes single fields without a file.",
                                 NULL,
                                 NULL,
                                 NULL};

static enum weft_status print_row(const char *name, struct weft_diag *diag)
{
    struct weft_machine m;
    enum weft_status status = weft_machine_load(&m, name, diag);
    if (status)
        return status;
    char array[72], count[32] = "";
    if (m.arrays > 1)
        snprintf(count, sizeof count, "%" PRIu64 " of ", m.arrays);
    snprintf(array, sizeof array, "%s%" PRIu64 " x %" PRIu64, count, m.rows, m.columns);
    printf("%-12s %15s %8g MHz %9.4g TOPS %9.4g GB/s  %s\n", name, array, (double)m.clock_hz / 1e6,
           2e-12 * (double)(m.arrays * m.rows * m.columns) * (double)m.clock_hz, (double)m.dram_bytes_per_second / 1e9, m.description);
    return WEFT_OK;
}

static enum weft_status list(struct weft_diag *diag)
{
    struct folder folder;
    enum weft_status status = folder_list(&folder, "machines", ".yaml", diag);
    if (!status)
        printf("%-12s %15s %12s %14s %14s\n", "machine", "array", "clock", "peak", "DRAM");
    for (size_t i = 0; i < folder.count && !status; i++)
        status = print_row(folder.names[i], diag);
    folder_free(&folder);
    return status;
}

static enum weft_status print_field(const struct weft_machine *machine, const struct weft_machine_field *field, const char *name,
                                    struct weft_diag *diag)
{
    char *source, value[32];
    enum weft_status status = weft_machine_source(&source, name, field->name, diag);
    if (status)
        return status;
    uint64_t number = weft_machine_get(machine, field);
    if (field->flag)
        snprintf(value, sizeof value, "%s", number ? "true" : "false");
    else
        snprintf(value, sizeof value, "%" PRIu64, number);
    printf("  %-26s %14s %-8s %s\n", field->name, value, field->unit ? field->unit : "", field->meaning);
    printf("  %-26s %14s %-8s   source: %s\n", "", "", "", source);
    free(source);
    return WEFT_OK;
}

static enum weft_status describe(const char *name, struct weft_diag *diag)
{
    struct weft_machine machine;
    enum weft_status status = weft_machine_load(&machine, name, diag);
    if (status)
        return status;
    printf("%s: %s\n", machine.name, machine.description);
    printf("  multiplies%s%s%s%s\n", machine.formats & WEFT_USES_U8 ? " u8" : "", machine.formats & WEFT_USES_S8 ? " s8" : "",
           machine.formats & WEFT_USES_S16 ? " s16" : "", machine.formats & WEFT_USES_BF16 ? " bf16" : "");
    size_t count;
    const struct weft_machine_field *fields = weft_machine_fields(&count);
    for (size_t i = 0; i < count && !status; i++)
        status = print_field(&machine, &fields[i], name, diag);
    return status;
}

int cmd_machines(int argc, char **argv)
{
    struct options options = {0};
    struct weft_diag diag = cli_diag();
    argp_parse(&argp, argc, argv, 0, NULL, &options);
    return cli_status(options.name ? describe(options.name, &diag) : list(&diag), &diag);
}
