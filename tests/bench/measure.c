/* measure N COMMAND...: runs the command N times, silent, and prints the median wall time in seconds and the largest resident size in
 * megabytes, as two words. Fails when a run does. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void become(char **command)
{
    int null = open("/dev/null", O_WRONLY);
    if (null >= 0)
        dup2(null, STDOUT_FILENO);
    execvp(command[0], command);
    perror(command[0]);
    _exit(127);
}

/* Seconds of one run, or a negative number when it failed. */
static double run(char **command, long *peak_kilobytes)
{
    double begin = now();
    pid_t child = fork();
    if (child < 0)
        return -1;
    if (child == 0)
        become(command);
    int status;
    struct rusage usage;
    if (wait4(child, &status, 0, &usage) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return -1;
    if (usage.ru_maxrss > *peak_kilobytes)
        *peak_kilobytes = usage.ru_maxrss;
    return now() - begin;
}

int main(int argc, char **argv)
{
    enum { RUNS_MAX = 1000 };
    int runs = argc > 2 ? atoi(argv[1]) : 0;
    if (runs < 1 || runs > RUNS_MAX) {
        fprintf(stderr, "usage: measure N COMMAND...\n");
        return 2;
    }
    static double seconds[RUNS_MAX];
    long peak = 0;
    for (int i = 0; i < runs; i++) {
        seconds[i] = run(argv + 2, &peak);
        if (seconds[i] < 0) {
            fprintf(stderr, "measure: %s failed\n", argv[2]);
            return 1;
        }
    }
    qsort(seconds, (size_t)runs, sizeof *seconds, by_value);
    printf("%.6f %.1f\n", seconds[runs / 2], (double)peak / 1024);
    return 0;
}
