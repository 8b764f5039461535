/* main.c: the command `weft`: finds the subcommand and nothing else. */
#include "cli.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *argp_program_version = "weft " WEFT_VERSION;

static const struct cli_command commands[] = {
    {"compile", "network to program", cmd_compile},
    {"run", "run a program, or compile a network and run it; report where every cycle went", cmd_run},
    {"asm", "assembly to program", cmd_asm},
    {"disasm", "program to assembly", cmd_disasm},
    {"debug", "step through a program and look into the machine", cmd_debug},
    {"report", "the results of a sweep as a page for a browser", cmd_report},
    {"sweep", "run networks on many machines; ask what came of it", cmd_sweep},
    {"conformance", "run ONNX's backend tests on a machine; say what passed, failed or is not supported", cmd_conformance},
    {"paper", "the tables of a paper beside ours: isca2017", cmd_paper},
    {"machines", "the machines there are, or every value of one with its source", cmd_machines},
    {"models", "the networks that come with Weft", cmd_models},
    {"doctor", "what is missing on this host", cmd_doctor},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void help(FILE *out)
{
    fputs("Usage: weft COMMAND [OPTION...] [FILE...]\n"
          "Takes a neural network to a TPU program, runs it on a simulated TPU bit by bit and cycle\n"
          "by cycle, and says where every cycle went.\n\n",
          out);
    for (int i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-11s %s\n", commands[i].name, commands[i].summary);
    fputs("\nFirst steps:\n"
          "  weft models                                  what there is to run\n"
          "  weft run resnet50 -m tpu-v1                  compile, run, report\n"
          "  weft compile my.onnx -m tpu-v1 -o my.tpu     keep the program\n"
          "  weft run my.tpu -i in.npz -o out.npz         run it on your own input\n"
          "\n`weft COMMAND --help` describes the options of a command.\n",
          out);
}

static int unknown(const char *word)
{
    const char *names[COMMANDS];
    for (int i = 0; i < COMMANDS; i++)
        names[i] = commands[i].name;
    const char *near = weft_nearest(word, names, COMMANDS);
    fprintf(stderr, "weft: there is no command '%s'; ", word);
    if (near)
        fprintf(stderr, "did you mean '%s'?\n", near);
    else
        fprintf(stderr, "`weft --help` lists those there are\n");
    return CLI_USAGE;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    char name[32];
    snprintf(name, sizeof name, "weft %s", command->name);
    argv[0] = name;
    return command->run(argc, argv);
}

/* What was printed may still fail to arrive (a full disk): nobody else looks, and --help leaves by exit. A descriptor that was never open
 * and never written to is no failure. */
static void close_output(void)
{
    bool failed = ferror(stdout) != 0, pending = __fpending(stdout) != 0;
    if (fclose(stdout) == 0 ? !failed : !failed && errno == EBADF && !pending)
        return;
    fprintf(stderr, "weft: standard output: cannot be written: %s\n", failed ? "not all of it arrived" : strerror(errno));
    fflush(stderr);
    _exit(CLI_FAILED);
}

/* Outputs lie aside until they are whole. A signal that ends the process ends it still, by its own name. */
static void clean_and_end(int number)
{
    static atomic_flag begun = ATOMIC_FLAG_INIT;
    if (atomic_flag_test_and_set(&begun))
        return; /* a second one, which must not end the process before the first has cleaned up */
    weft_temporaries_remove();
    signal(number, SIG_DFL);
    raise(number); /* comes when this handler returns */
}

static void watch_signals(void)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = clean_and_end}, before;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (!sigaction(ends[i], NULL, &before) && before.sa_handler != SIG_IGN) /* nohup */
            sigaction(ends[i], &action, NULL);
}

int main(int argc, char **argv)
{
    argp_err_exit_status = CLI_USAGE;
    watch_signals();
    atexit(close_output);
    if (argc < 2) {
        help(stderr);
        return CLI_USAGE;
    }
    if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))
        return puts(argp_program_version), CLI_OK;
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || (!strcmp(argv[1], "help") && argc == 2))
        return help(stdout), CLI_OK;
    static char help_option[] = "--help";
    bool asks = !strcmp(argv[1], "help");
    const char *word = asks ? argv[2] : argv[1];
    for (int i = 0; i < COMMANDS; i++)
        if (!strcmp(commands[i].name, word))
            return asks ? run(&commands[i], 2, (char *[]){argv[0], help_option, NULL}) : run(&commands[i], argc - 1, argv + 1);
    return unknown(word);
}
