/* html.c: pages that a browser shows with nothing beside them: style, chart library, script and data in one file. */
#include <stdlib.h>
#include <string.h>

#include "report.h"

/* Files of page/ and the chart library, embedded by embed.cmake; each ends with a zero. */
extern const unsigned char report_embedded_page[], report_embedded_style[], report_embedded_chart[], report_embedded_common[],
    report_embedded_run[], report_embedded_results[];

static const char *text_of(const unsigned char *bytes)
{
    return (const char *)bytes;
}

/* JSON inside <script>: the only thing that could end the element is "<", which JSON has only in strings. */
static void put_json(FILE *out, const char *json)
{
    for (; *json; json++)
        if (*json == '<')
            fputs("\\u003c", out);
        else
            fputc(*json, out);
}

static void put_escaped(FILE *out, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        default:
            fputc(*text, out);
        }
}

struct slot {
    const char *mark, *text;
    void (*put)(FILE *out, const char *text); /* NULL: as it is */
};

/* page.html with each mark once, in the order of the slots. */
static void fill(FILE *out, const struct slot *slots, size_t count)
{
    const char *from = text_of(report_embedded_page);
    for (size_t i = 0; i < count; i++) {
        const char *mark = strstr(from, slots[i].mark);
        fwrite(from, 1, (size_t)(mark - from), out);
        if (slots[i].put)
            slots[i].put(out, slots[i].text);
        else
            fputs(slots[i].text, out);
        from = mark + strlen(slots[i].mark);
    }
    fputs(from, out);
}

static enum weft_status report_page(char **out, const char *title, const char *script, const char *json)
{
    const struct slot slots[] = {
        {"@title@", title, put_escaped},
        {"@style@", text_of(report_embedded_style), NULL},
        {"@data@", json, put_json},
        {"@chart@", text_of(report_embedded_chart), NULL},
        {"@common@", text_of(report_embedded_common), NULL},
        {"@script@", script, NULL},
    };
    size_t size;
    *out = NULL;
    FILE *memory = open_memstream(out, &size);
    if (!memory)
        return WEFT_NO_MEMORY;
    fill(memory, slots, sizeof slots / sizeof *slots);
    if (!fclose(memory))
        return WEFT_OK;
    free(*out);
    *out = NULL;
    return WEFT_NO_MEMORY;
}

enum weft_status weft_report_results_page(char **out, const char *title, const char *json)
{
    return report_page(out, title, text_of(report_embedded_results), json);
}

enum weft_status weft_report_html(char **out, const struct weft_report_input *input)
{
    char *json, title[256];
    *out = NULL;
    enum weft_status status = weft_report_json(&json, input);
    if (status)
        return status;
    snprintf(title, sizeof title, "%s on %s", input->name ? input->name : "a program", input->program->machine.name);
    status = report_page(out, title, text_of(report_embedded_run), json);
    free(json);
    return status;
}
