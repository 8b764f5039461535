/* program_load.c: a program from its ELF file. Nothing in the file is trusted: libelf reads the tables, everything that they say is
 * checked here. Text and uncompressed weights are used where they lie in the mapped file. */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "program.h"

typedef unsigned long long ull; /* for messages */

enum { SECTIONS_MAX = 64, ZLIB_MOST = 1032 /* bytes that zlib can make of one */ };

enum section_id { SECTION_TEXT = PART_END, SECTION_WEIGHTS, SECTION_DATA, SECTION_DRAM, SECTION_HOST, SECTION_UB, SECTION_SYMBOLS, SECTION_IDS };

struct section {
    Elf_Scn *scn; /* NULL: not there */
    GElf_Shdr header;
    size_t index;
};

struct load {
    struct weft_program *program;
    const char *path;
    struct weft_diag *diag;
    Elf *elf;
    struct section section[SECTION_IDS];
};

static const char *section_name(enum section_id id)
{
    static const char *const names[SECTION_IDS] = {
        [SECTION_TEXT] = ".text", [SECTION_WEIGHTS] = ".weights", [SECTION_DATA] = ".data", [SECTION_DRAM] = ".dram",
        [SECTION_HOST] = ".host", [SECTION_UB] = ".ub",           [SECTION_SYMBOLS] = ".symtab"};
    return (unsigned)id < PART_END ? program_part_names[id] : names[id];
}

#define SAY(l, format, ...) weft_error((l)->diag, "%s: " format, (l)->path, __VA_ARGS__)

static const uint8_t *bytes_of(const struct load *l, const struct section *s) { return (uint8_t *)l->program->mapping + s->header.sh_offset; }

/* --- the table of sections ------------------------------------------------------------------------------------------------------- */

static enum weft_status check_range(const struct load *l, const GElf_Shdr *h, const char *name)
{
    if (h->sh_type == SHT_NOBITS)
        return WEFT_OK;
    uint64_t size = l->program->mapping_bytes;
    if (h->sh_offset > size || h->sh_size > size - h->sh_offset)
        return SAY(l, "section %s ends beyond the file's %llu bytes; the file is cut off or damaged", name, (ull)size);
    return WEFT_OK;
}

static bool overlaps(const GElf_Shdr *a, const GElf_Shdr *b)
{
    if (a->sh_type == SHT_NOBITS || b->sh_type == SHT_NOBITS || !a->sh_size || !b->sh_size)
        return false;
    return a->sh_offset < b->sh_offset + b->sh_size && b->sh_offset < a->sh_offset + a->sh_size;
}

static enum weft_status note_section(struct load *l, Elf_Scn *scn, const GElf_Shdr *header, const char *name)
{
    for (unsigned id = 1; id < SECTION_IDS; id++)
        if (!strcmp(section_name(id), name)) {
            if (l->section[id].scn)
                return SAY(l, "section %s is there twice", name);
            l->section[id] = (struct section){scn, *header, elf_ndxscn(scn)};
        }
    return WEFT_OK;
}

static enum weft_status find_sections(struct load *l)
{
    size_t count, names;
    GElf_Shdr headers[SECTIONS_MAX];
    if (elf_getshdrnum(l->elf, &count) || elf_getshdrstrndx(l->elf, &names))
        return SAY(l, "%s", elf_errmsg(-1));
    if (count > SECTIONS_MAX)
        return SAY(l, "%zu sections; a program of Weft has at most %d", count, SECTIONS_MAX);
    for (size_t i = 1; i < count; i++) {
        Elf_Scn *scn = elf_getscn(l->elf, i);
        const char *name = scn && gelf_getshdr(scn, &headers[i]) ? elf_strptr(l->elf, names, headers[i].sh_name) : NULL;
        if (!name)
            return SAY(l, "section %zu: %s", i, elf_errmsg(-1));
        enum weft_status status = check_range(l, &headers[i], name);
        if (status == WEFT_OK)
            status = note_section(l, scn, &headers[i], name);
        if (status != WEFT_OK)
            return status;
        for (size_t j = 1; j < i; j++)
            if (overlaps(&headers[i], &headers[j]))
                return SAY(l, "sections %zu and %zu overlap", j, i);
    }
    return WEFT_OK;
}

static enum weft_status open_elf(struct load *l)
{
    GElf_Ehdr header;
    elf_version(EV_CURRENT);
    l->elf = elf_memory(l->program->mapping, l->program->mapping_bytes);
    if (!l->elf || elf_kind(l->elf) != ELF_K_ELF || !gelf_getehdr(l->elf, &header))
        return SAY(l, "is not a program of Weft: %s", "it begins as an ELF file, and what follows is none");
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_machine != EM_NONE)
        return SAY(l, "is not a program of Weft, but an ELF file for another machine (number %u)", header.e_machine);
    uint64_t size = l->program->mapping_bytes, table = (uint64_t)header.e_shnum * header.e_shentsize;
    if (header.e_shoff > size || table > size - header.e_shoff)
        return SAY(l, "is cut short: %llu bytes, where its table of sections ends at byte %llu", (ull)size, (ull)(header.e_shoff + table));
    return find_sections(l);
}

/* --- notes -------------------------------------------------------------------------------------------------------------------------- */

/* The payload of a part; *text NULL: the file has none. */
static enum weft_status find_note(const struct load *l, enum program_part part, const char **text, size_t *length)
{
    const struct section *s = &l->section[part];
    *text = NULL;
    *length = 0;
    if (!s->scn)
        return WEFT_OK;
    Elf_Data *data = s->header.sh_type == SHT_NOTE ? elf_getdata(s->scn, NULL) : NULL;
    GElf_Nhdr note;
    size_t name, payload;
    if (!data || !data->d_buf || !gelf_getnote(data, 0, &note, &name, &payload) || note.n_type != (GElf_Word)part ||
        note.n_namesz != sizeof PROGRAM_NOTE_OWNER || memcmp((char *)data->d_buf + name, PROGRAM_NOTE_OWNER, sizeof PROGRAM_NOTE_OWNER))
        return SAY(l, "%s is not a note of Weft", section_name((enum section_id)part));
    *text = (char *)data->d_buf + payload;
    *length = note.n_descsz;
    return WEFT_OK;
}

static enum weft_status load_machine(struct load *l)
{
    const char *text;
    size_t length;
    enum weft_status status = find_note(l, PART_MACHINE, &text, &length);
    if (status != WEFT_OK)
        return status;
    if (!text)
        return SAY(l, "is not a program of Weft: it has no section %s", section_name((enum section_id)PART_MACHINE));
    return weft_machine_parse(&l->program->machine, text, length, l->path, l->diag);
}

static enum weft_status load_part(struct load *l, enum program_part part)
{
    const char *text;
    size_t length;
    enum weft_status status = find_note(l, part, &text, &length);
    if (status != WEFT_OK)
        return status;
    if (!text)
        return SAY(l, "section %s is missing", section_name((enum section_id)part));
    json_error_t error;
    json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        return SAY(l, "%s:%d: %s", section_name((enum section_id)part), error.line, error.text);
    status = program_from_json(l->program, part, json, l->path, l->diag);
    json_decref(json);
    return status;
}

static enum weft_status load_remarks(struct load *l)
{
    const char *text;
    size_t length;
    enum weft_status status = find_note(l, PART_REMARKS, &text, &length);
    if (status != WEFT_OK || !text)
        return status;
    l->program->notes = strndup(text, length);
    return l->program->notes ? WEFT_OK : WEFT_NO_MEMORY;
}

static enum weft_status load_parts(struct load *l)
{
    enum weft_status status = WEFT_OK;
    for (enum program_part part = PART_PROGRAM; status == WEFT_OK && part < PART_REMARKS; part++)
        status = load_part(l, part);
    return status == WEFT_OK ? load_remarks(l) : status;
}

/* --- what the parts say about each other ----------------------------------------------------------------------------------------------------- */

static bool lies_within(const struct weft_tensor *tensor, uint64_t memory) { return tensor->bytes <= memory && tensor->host <= memory - tensor->bytes; }

static enum weft_status check_sizes(struct load *l)
{
    const struct weft_program *p = l->program;
    const uint64_t addressable = UINT64_C(1) << 40; /* operands have 40 bits */
    if (p->dram_bytes > p->machine.dram_bytes)
        return SAY(l, "the program wants %llu bytes of DRAM; the machine has %llu", (ull)p->dram_bytes, (ull)p->machine.dram_bytes);
    if (p->host_bytes > addressable)
        return SAY(l, "the program wants %llu bytes of host memory; at most 2^40 can be addressed", (ull)p->host_bytes);
    return WEFT_OK;
}

/* A few bytes of a file must not make a run go through more elements than a person could want. */
static enum weft_status check_count(const struct load *l, const char *kind, const struct weft_tensor *tensor)
{
    return weft_tensor_count(tensor) <= WEFT_TENSOR_MOST ? WEFT_OK : SAY(l, "%s %s has more than 2^31 elements", kind, tensor->name);
}

/* Nobody would look them up. */
static enum weft_status check_no_table(const struct load *l, const char *kind, const struct weft_tensor *tensor)
{
    bool has = tensor->table_rows || tensor->row_bytes || tensor->table_data;
    return has ? SAY(l, "%s %s has a table; only an input can have one", kind, tensor->name) : WEFT_OK;
}

static enum weft_status check_places(struct load *l)
{
    const struct weft_program *p = l->program;
    for (size_t i = 0; i < p->input_count + p->output_count; i++) {
        const struct weft_tensor *tensor = i < p->input_count ? &p->inputs[i] : &p->outputs[i - p->input_count];
        if (!lies_within(tensor, p->host_bytes))
            return SAY(l, "tensor %s leaves host memory", tensor->name);
        if (check_count(l, "tensor", tensor) || (i >= p->input_count && check_no_table(l, "output", tensor)))
            return WEFT_ERROR;
    }
    for (size_t i = 0; i < p->probe_count; i++) {
        const struct weft_probe *probe = &p->probes[i];
        if (!lies_within(&probe->tensor, p->machine.ub_bytes))
            return SAY(l, "probe %s leaves the unified buffer", probe->tensor.name);
        if (check_count(l, "probe", &probe->tensor) || check_no_table(l, "probe", &probe->tensor))
            return WEFT_ERROR;
        if (probe->layer >= p->layer_count || probe->after > p->instructions || (i && probe->after < probe[-1].after))
            return SAY(l, "probe %s: its layer or its instruction is not in the program, or out of order", probe->tensor.name);
    }
    return WEFT_OK;
}

/* --- text and bytes -------------------------------------------------------------------------------------------------------------------- */

static enum weft_status load_text(struct load *l)
{
    const struct section *s = &l->section[SECTION_TEXT];
    if (!s->scn || s->header.sh_type != SHT_PROGBITS || s->header.sh_flags & SHF_COMPRESSED)
        return SAY(l, "section %s is missing, or not of plain bytes", section_name(SECTION_TEXT));
    if (s->header.sh_size % WEFT_WORD_BYTES)
        return SAY(l, "section %s has %llu bytes; instructions have %d each", section_name(SECTION_TEXT), (ull)s->header.sh_size, WEFT_WORD_BYTES);
    l->program->text = (uint8_t *)bytes_of(l, s);
    l->program->instructions = (size_t)(s->header.sh_size / WEFT_WORD_BYTES);
    for (size_t i = 0; i < l->program->instructions; i++) {
        struct weft_instr instr;
        if (!weft_decode(&instr, l->program->text + i * WEFT_WORD_BYTES))
            return SAY(l, "instruction %zu: no instruction has this word", i);
    }
    return WEFT_OK;
}

static enum weft_status inflate_into(const struct load *l, const char *name, uint8_t *out, uint64_t size, const uint8_t *in, uint64_t in_size)
{
    z_stream z = {.next_in = (uint8_t *)in, .next_out = out};
    if (inflateInit(&z) != Z_OK)
        return WEFT_NO_MEMORY;
    int status = Z_OK;
    uint8_t beyond; /* a stream that is longer than it says must fail, not stop */
    while (status == Z_OK) {
        uint64_t in_left = in_size - z.total_in, out_left = size - z.total_out;
        z.avail_in = in_left > (1u << 30) ? 1u << 30 : (uInt)in_left;
        z.avail_out = out_left > (1u << 30) ? 1u << 30 : (uInt)out_left;
        if (!out_left) {
            z.next_out = &beyond;
            z.avail_out = 1;
        }
        status = inflate(&z, Z_NO_FLUSH);
        if (z.total_out > size)
            status = Z_DATA_ERROR;
    }
    uint64_t became = z.total_out;
    inflateEnd(&z);
    if (status == Z_STREAM_END && became == size)
        return WEFT_OK;
    return SAY(l, "section %s: the compressed bytes are damaged, or not the %llu that the section says", name, (ull)size);
}

/* Bytes that the program holds elsewhere than in the file; `most` is what the memory they go to can hold. */
static enum weft_status inflate_section(const struct load *l, enum section_id id, uint64_t most, uint8_t **out, uint64_t *size)
{
    const struct section *s = &l->section[id];
    GElf_Chdr compressed;
    if (s->header.sh_size < sizeof(Elf64_Chdr) || !gelf_getchdr(s->scn, &compressed) || compressed.ch_type != ELFCOMPRESS_ZLIB)
        return SAY(l, "section %s: the compression is not zlib's", section_name(id));
    uint64_t in_size = s->header.sh_size - sizeof(Elf64_Chdr);
    if (compressed.ch_size > most || compressed.ch_size / ZLIB_MOST > in_size)
        return SAY(l, "section %s claims %llu bytes, more than there can be", section_name(id), (ull)compressed.ch_size);
    *out = malloc(compressed.ch_size ? compressed.ch_size : 1);
    if (!*out)
        return WEFT_NO_MEMORY;
    *size = compressed.ch_size;
    return inflate_into(l, section_name(id), *out, *size, bytes_of(l, s) + sizeof(Elf64_Chdr), in_size);
}

static enum weft_status load_bytes(const struct load *l, enum section_id id, uint64_t most, uint8_t **out, uint64_t *size)
{
    const struct section *s = &l->section[id];
    if (!s->scn)
        return WEFT_OK;
    if (s->header.sh_type != SHT_PROGBITS)
        return SAY(l, "section %s is not of bytes", section_name(id));
    if (s->header.sh_flags & SHF_COMPRESSED)
        return inflate_section(l, id, most, out, size);
    if (s->header.sh_size > most)
        return SAY(l, "section %s has %llu bytes; the memory has %llu", section_name(id), (ull)s->header.sh_size, (ull)most);
    *size = s->header.sh_size;
    *out = *size ? (uint8_t *)bytes_of(l, s) : malloc(1); /* not NULL, which would mean that there are none to be had */
    return *out ? WEFT_OK : WEFT_NO_MEMORY;
}

static enum weft_status load_memories(struct load *l)
{
    struct weft_program *p = l->program;
    enum weft_status status = load_bytes(l, SECTION_WEIGHTS, p->dram_bytes, &p->weights, &p->weights_bytes);
    if (status != WEFT_OK)
        return status;
    p->data_host = l->section[SECTION_DATA].scn ? l->section[SECTION_DATA].header.sh_addr : 0;
    if (p->data_host > p->host_bytes)
        return SAY(l, "section %s lies beyond the host memory's %llu bytes", section_name(SECTION_DATA), (ull)p->host_bytes);
    return load_bytes(l, SECTION_DATA, p->host_bytes - p->data_host, &p->data, &p->data_bytes);
}

/* --- symbols --------------------------------------------------------------------------------------------------------------------------------- */

static char space_of(const struct load *l, size_t section)
{
    static const struct {
        enum section_id id;
        char space;
    } spaces[] = {{SECTION_TEXT, 't'}, {SECTION_DRAM, 'w'}, {SECTION_HOST, 'h'}, {SECTION_UB, 'u'}};
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++)
        if (l->section[spaces[i].id].scn && l->section[spaces[i].id].index == section)
            return spaces[i].space;
    return '\0';
}

static enum weft_status load_symbol(struct load *l, Elf_Data *data, int number)
{
    const struct section *s = &l->section[SECTION_SYMBOLS];
    struct weft_symbol *out = &l->program->symbols[l->program->symbol_count];
    GElf_Sym symbol;
    const char *name = gelf_getsym(data, number, &symbol) ? elf_strptr(l->elf, s->header.sh_link, symbol.st_name) : NULL;
    if (!name)
        return SAY(l, "symbol %d: %s", number, elf_errmsg(-1));
    *out = (struct weft_symbol){.space = space_of(l, symbol.st_shndx), .value = symbol.st_value, .size = symbol.st_size};
    if (!out->space)
        return SAY(l, "symbol %s is in no memory of the machine", name);
    out->name = strdup(name);
    l->program->symbol_count++;
    return out->name ? WEFT_OK : WEFT_NO_MEMORY;
}

/* The locals, without number 0, which is nobody's. */
static enum weft_status load_symbols(struct load *l)
{
    const struct section *s = &l->section[SECTION_SYMBOLS];
    if (!s->scn)
        return WEFT_OK;
    Elf_Data *data = s->header.sh_type == SHT_SYMTAB && s->header.sh_entsize == sizeof(Elf64_Sym) ? elf_getdata(s->scn, NULL) : NULL;
    uint64_t locals = s->header.sh_info;
    if (!data || locals > s->header.sh_size / sizeof(Elf64_Sym) || locals > INT32_MAX)
        return SAY(l, "section %s is not a table of symbols", section_name(SECTION_SYMBOLS));
    if (locals <= 1)
        return WEFT_OK;
    l->program->symbols = calloc(locals, sizeof *l->program->symbols);
    enum weft_status status = l->program->symbols ? WEFT_OK : WEFT_NO_MEMORY;
    for (int i = 1; status == WEFT_OK && i < (int)locals; i++)
        status = load_symbol(l, data, i);
    return status;
}

/* --- the file ---------------------------------------------------------------------------------------------------------------------------------- */

static enum weft_status map_file(struct weft_program *program, const char *path, struct weft_diag *diag)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &info)) {
        int reason = errno;
        if (fd >= 0)
            close(fd);
        return weft_error(diag, "%s: cannot be read: %s", path, strerror(reason));
    }
    char begin[SELFMAG] = "";
    bool is_elf = S_ISREG(info.st_mode) && pread(fd, begin, sizeof begin, 0) == SELFMAG && !memcmp(begin, ELFMAG, SELFMAG);
    void *mapping = is_elf ? mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    int reason = errno;
    close(fd);
    if (!is_elf)
        return weft_error(diag, "%s: is not a program of Weft (an ELF file, as `weft compile` and `weft asm` write it)", path);
    if (mapping == MAP_FAILED)
        return weft_error(diag, "%s: cannot be read: %s", path, strerror(reason));
    program->mapping = mapping;
    program->mapping_bytes = (size_t)info.st_size;
    if ((size_t)info.st_size < sizeof(Elf64_Ehdr))
        return weft_error(diag, "%s: is cut short: %jd bytes, where a program begins with a header of %zu", path, (intmax_t)info.st_size, sizeof(Elf64_Ehdr));
    return WEFT_OK;
}

/* Finds the table of an input that the host looks up. A program for timing only, which has no weights, has none. */
static enum weft_status find_table(struct load *l, struct weft_tensor *tensor)
{
    const struct weft_program *p = l->program;
    uint64_t bytes, end;
    if (!tensor->table_rows)
        return WEFT_OK;
    bool there = tensor->row_bytes && tensor->row_bytes <= tensor->bytes && !__builtin_mul_overflow(tensor->table_rows, tensor->row_bytes, &bytes) &&
                 !__builtin_add_overflow(tensor->table_data, bytes, &end) && end <= p->data_bytes;
    if (!there && p->weights_bytes)
        return SAY(l, "the table of input %s leaves the program's data", tensor->name);
    tensor->table = there ? p->data + tensor->table_data : NULL;
    return WEFT_OK;
}

static enum weft_status find_tables(struct load *l)
{
    for (size_t i = 0; i < l->program->input_count; i++)
        if (find_table(l, &l->program->inputs[i]))
            return WEFT_ERROR;
    return WEFT_OK;
}

static enum weft_status load_all(struct load *l)
{
    static enum weft_status (*const steps[])(struct load *) = {open_elf,     load_machine,  load_text,    load_parts,
                                                               check_sizes, check_places, load_memories, find_tables, load_symbols};
    enum weft_status status = map_file(l->program, l->path, l->diag);
    for (size_t i = 0; status == WEFT_OK && i < sizeof steps / sizeof *steps; i++)
        status = steps[i](l);
    return status;
}

enum weft_status weft_program_load(struct weft_program **out, const char *path, struct weft_diag *diag)
{
    *out = NULL;
    struct load l = {.program = calloc(1, sizeof *l.program), .path = path, .diag = diag};
    if (!l.program)
        return WEFT_NO_MEMORY;
    enum weft_status status = load_all(&l);
    if (l.elf)
        elf_end(l.elf);
    if (status == WEFT_OK)
        *out = l.program;
    else
        weft_program_free(l.program);
    return status;
}
