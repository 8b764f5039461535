/* shard.c: which part of a plan is ours: said by the user, or by the launcher's environment. */
#include "weft_explore.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool read_number(uint64_t *out, const char *text, const char **end)
{
    char *stop;
    errno = 0;
    if (!text || *text < '0' || *text > '9')
        return false;
    *out = strtoull(text, &stop, 10);
    *end = stop;
    return !errno;
}

enum weft_status weft_shard_parse(struct weft_shard *out, const char *text, struct weft_diag *diag)
{
    const char *at;
    *out = (struct weft_shard){.source = "--shard"};
    bool read = read_number(&out->index, text, &at) && *at == '/' && read_number(&out->count, at + 1, &at) && !*at;
    if (!read || !out->count || out->count > WEFT_SHARDS_MAX || out->index >= out->count)
        return weft_error(diag, "--shard takes I/N, I from 0 to N - 1, such as 0/8, not '%s'", text);
    return WEFT_OK;
}

static bool variable(uint64_t *out, const char *name)
{
    const char *end;
    return read_number(out, getenv(name), &end) && !*end;
}

static enum weft_status check(const struct weft_shard *shard, struct weft_diag *diag)
{
    if (!shard->count || shard->count > WEFT_SHARDS_MAX || shard->index >= shard->count)
        return weft_error(diag, "%s says shard %llu of %llu, which cannot be; say --shard I/N", shard->source, (unsigned long long)shard->index,
                          (unsigned long long)shard->count);
    return WEFT_OK;
}

/* Tasks of an array may begin anywhere and come in steps. */
static bool slurm_array(struct weft_shard *out)
{
    uint64_t first = 0, step = 1;
    if (!variable(&out->index, "SLURM_ARRAY_TASK_ID") || !variable(&out->count, "SLURM_ARRAY_TASK_COUNT"))
        return false;
    variable(&first, "SLURM_ARRAY_TASK_MIN");
    variable(&step, "SLURM_ARRAY_TASK_STEP");
    out->index = out->index >= first && step ? (out->index - first) / step : out->count;
    out->source = "SLURM_ARRAY_TASK_ID";
    return true;
}

enum weft_status weft_shard_environment(struct weft_shard *out, struct weft_diag *diag)
{
    static const struct {
        const char *index, *count;
    } pairs[] = {{"SLURM_PROCID", "SLURM_NTASKS"}, {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"}, {"PMI_RANK", "PMI_SIZE"}};
    *out = (struct weft_shard){0};
    if (slurm_array(out))
        return check(out, diag);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        *out = (struct weft_shard){.source = pairs[i].index};
        if (variable(&out->index, pairs[i].index) && variable(&out->count, pairs[i].count))
            return check(out, diag);
    }
    *out = (struct weft_shard){0};
    return WEFT_OK;
}

enum weft_status weft_shard_store(char **out, const char *store, const struct weft_shard *shard)
{
    const char *slash = strrchr(store, '/'), *dot = strrchr(slash ? slash : store, '.');
    int stem = dot && dot != store ? (int)(dot - store) : (int)strlen(store);
    int length = shard->count < 2 ? asprintf(out, "%s", store)
                                  : asprintf(out, "%.*s.%llu-of-%llu%s", stem, store, (unsigned long long)shard->index,
                                             (unsigned long long)shard->count, store + stem);
    if (length < 0)
        *out = NULL;
    return length < 0 ? WEFT_NO_MEMORY : WEFT_OK;
}
