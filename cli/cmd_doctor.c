/* cmd_doctor.c: weft doctor */
#include "cli.h"
#include "folder.h"
#include "weft_sim.h"

#include <stdlib.h>
#include <unistd.h>

static error_t parse(int key, char *text, struct argp_state *state)
{
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    argp_error(state, "takes no argument");
    return 0;
}

static const struct argp argp = {NULL,
                                 parse,
                                 NULL,
                                 "Says what is missing on this host, and what that means.\v"
                                 "Exit status 1 where something that Weft cannot do without is missing.",
                                 NULL,
                                 NULL,
                                 NULL};

static bool say(bool good, const char *what, const char *detail)
{
    printf("%-8s %-10s %s\n", good ? "good" : "MISSING", what, detail);
    return good;
}

static bool check_folder(const char *name, const char *ending)
{
    struct folder folder;
    char detail[4200];
    bool read = folder_list(&folder, name, ending, NULL) == WEFT_OK;
    if (read && folder.count)
        snprintf(detail, sizeof detail, "%zu in %s/%s", folder.count, weft_data_directory(), name);
    else
        snprintf(detail, sizeof detail, "none in %s/%s: set WEFT_DATA to the folder that holds %s/", weft_data_directory(), name, name);
    size_t count = folder.count;
    folder_free(&folder);
    return say(count > 0, name, detail);
}

static bool check_machines(void)
{
    struct folder folder;
    bool good = check_folder("machines", ".yaml");
    struct weft_diag diag = cli_diag();
    if (!good || folder_list(&folder, "machines", ".yaml", NULL))
        return false;
    for (size_t i = 0; i < folder.count; i++) {
        struct weft_machine machine;
        if (weft_machine_load(&machine, folder.names[i], &diag))
            good = say(false, folder.names[i], "its file cannot be used, as said above");
    }
    folder_free(&folder);
    return good;
}

/* Not needed, only faster. */
static void tell_library(void)
{
    bool used = false;
    if (weft_sim_library_is_used(&used))
        used = false;
    printf("%-8s %-10s %s\n", used ? "good" : "slower", "oneDNN",
           used ? "8-bit products go through it: it is exact on this CPU"
                : "not installed (package libdnnl2), or not exact on this CPU (no VNNI): products go through plain loops, with the same "
                  "results");
}

static void tell_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    double bytes = (double)pages * (double)size;
    char detail[64];
    snprintf(detail, sizeof detail, "%.1f GB%s", bytes / 1e9, bytes < 1e9 ? "; ResNet-50 takes about 0.5 GB" : "");
    printf("%-8s %-10s %s\n", bytes < 1e9 ? "small" : "good", "memory", detail);
}

int cmd_doctor(int argc, char **argv)
{
    argp_parse(&argp, argc, argv, 0, NULL, NULL);
    printf("%s\n", argp_program_version);
    bool machines = check_machines(), models = check_folder("models", ".onnxtxt");
    tell_library();
    tell_memory();
#ifdef WEFT_WITH_SYSTEMC
    printf("%-8s %-10s %s\n", "good", "systemc", "the clocked twin is built in: --engine systemc");
#else
    printf("%-8s %-10s %s\n", "none", "systemc", "this engine is not built, for want of SystemC (package libsystemc-dev); fast and reference are");
#endif
    return machines && models ? CLI_OK : CLI_FAILED;
}
