/* program_store.c: a program into its ELF file; program.h says which sections there are. */
#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "program.h"

enum { OWNED_MAX = 24, PAGE = 4096, NOTE_HEADER = 12 + 8 /* three words, "weft" padded */ };

/* A table of texts, each found by its offset; offset 0 is "". */
struct texts {
    char *bytes;
    size_t used;
};

struct store {
    const struct weft_program *program;
    const char *path;
    struct weft_diag *diag;
    Elf *elf;
    struct texts section_names, symbol_names;
    void *owned[OWNED_MAX]; /* what sections hold lives until elf_update */
    unsigned owned_count;
};

struct section {
    const char *name;
    Elf64_Word type, link, info;
    Elf64_Xword flags, entry_size;
    uint64_t address, align, size;
    const void *bytes; /* NULL: SHT_NOBITS */
    Elf_Type data_type;
};

static enum weft_status elf_failed(const struct store *s) { return weft_error(s->diag, "%s: cannot be written: %s", s->path, elf_errmsg(-1)); }

static void *own(struct store *s, void *bytes)
{
    if (bytes)
        s->owned[s->owned_count++] = bytes;
    return bytes;
}

static enum weft_status add_text(struct texts *t, const char *text, Elf64_Word *offset)
{
    size_t length = text ? strlen(text) + 1 : 1, begin = t->bytes ? t->used : 1;
    char *bytes = realloc(t->bytes, begin + length);
    if (!bytes)
        return WEFT_NO_MEMORY;
    bytes[0] = '\0';
    memcpy(bytes + begin, text ? text : "", length);
    *t = (struct texts){bytes, begin + length};
    *offset = (Elf64_Word)begin;
    return WEFT_OK;
}

static enum weft_status add_section(struct store *s, const struct section *section, size_t *index)
{
    Elf_Scn *scn = elf_newscn(s->elf);
    Elf_Data *data = scn ? elf_newdata(scn) : NULL;
    GElf_Shdr header;
    if (!data || !gelf_getshdr(scn, &header))
        return elf_failed(s);
    enum weft_status status = add_text(&s->section_names, section->name, &header.sh_name);
    if (status != WEFT_OK)
        return status;
    *data = (Elf_Data){.d_buf = (void *)section->bytes, .d_type = section->data_type, .d_size = section->size, .d_align = section->align,
                       .d_version = EV_CURRENT};
    header.sh_type = section->type;
    header.sh_flags = section->flags;
    header.sh_addr = section->address;
    header.sh_link = section->link;
    header.sh_info = section->info;
    header.sh_entsize = section->entry_size;
    header.sh_addralign = section->align;
    if (index)
        *index = elf_ndxscn(scn);
    return gelf_update_shdr(scn, &header) ? WEFT_OK : elf_failed(s);
}

/* --- compression ------------------------------------------------------------------------------------------------------------ */

enum { LEVEL = 3, SAMPLE = 32768, SAMPLES = 8 };

/* Compresses into at most `room` bytes. False: it takes more. */
static bool deflate_into(uint8_t *out, size_t room, size_t *used, const uint8_t *bytes, uint64_t size)
{
    z_stream z = {0};
    if (deflateInit(&z, LEVEL) != Z_OK)
        return false;
    int status = Z_OK;
    size_t left = room;
    z.next_in = (uint8_t *)bytes;
    z.next_out = out;
    while (status == Z_OK && (z.avail_out || left)) {
        uInt step = size > (1u << 30) ? 1u << 30 : (uInt)size, space = left > (1u << 30) ? 1u << 30 : (uInt)left;
        if (!z.avail_in) {
            z.avail_in = step;
            size -= step;
        }
        if (!z.avail_out) {
            z.avail_out = space;
            left -= space;
        }
        status = deflate(&z, size ? Z_NO_FLUSH : Z_FINISH);
        if (status == Z_BUF_ERROR)
            status = Z_OK; /* more room or more bytes, if there are any */
    }
    *used = z.total_out;
    deflateEnd(&z);
    return status == Z_STREAM_END;
}

/* Inflating costs more than reading pages, so it has to halve the file; pieces from all over tell whether it will. */
static bool may_pay(const uint8_t *bytes, uint64_t size)
{
    if (size < PAGE)
        return false;
    uint8_t *out = malloc(SAMPLE);
    uint64_t piece = size < SAMPLE ? size : SAMPLE, tried = 0, became = 0;
    for (unsigned i = 0; out && i < SAMPLES; i++) {
        size_t used = piece;
        if (!deflate_into(out, SAMPLE, &used, bytes + (size - piece) / SAMPLES * i, piece))
            used = piece;
        tried += piece;
        became += used;
    }
    free(out);
    return became * 2 < tried;
}

/* The section's bytes as SHF_COMPRESSED has them: a header, then zlib's. NULL: not compressed. */
static uint8_t *compress_bytes(struct store *s, const uint8_t *bytes, uint64_t size, uint64_t *became)
{
    if (!may_pay(bytes, size))
        return NULL;
    size_t used = 0, room = (size_t)(size / 2);
    uint8_t *out = malloc(sizeof(Elf64_Chdr) + room);
    if (!out)
        return NULL;
    if (!deflate_into(out + sizeof(Elf64_Chdr), room, &used, bytes, size)) {
        free(out);
        return NULL;
    }
    const uint64_t fields[3] = {ELFCOMPRESS_ZLIB, size, 1}; /* type and a reserved word, size, alignment */
    for (unsigned i = 0; i < sizeof fields; i++)
        out[i] = (uint8_t)(fields[i / 8] >> i % 8 * 8);
    *became = sizeof(Elf64_Chdr) + used;
    return own(s, out);
}

static enum weft_status add_bytes(struct store *s, const char *name, const uint8_t *bytes, uint64_t size, uint64_t address)
{
    struct section section = {.name = name, .type = SHT_PROGBITS, .address = address, .align = PAGE, .size = size, .bytes = bytes};
    uint64_t became = 0;
    const uint8_t *compressed = compress_bytes(s, bytes, size, &became);
    if (compressed) {
        section.bytes = compressed;
        section.size = became;
        section.flags = SHF_COMPRESSED;
        section.align = 8;
    }
    return add_section(s, &section, NULL);
}

/* --- notes ------------------------------------------------------------------------------------------------------------------ */

static void store32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

/* Written byte by byte as ELF's notes are, little-endian, so the section is plain bytes to libelf. */
static enum weft_status add_note(struct store *s, enum program_part part, const char *text)
{
    size_t length = strlen(text), padded = (length + 3) / 4 * 4;
    if (length > UINT32_MAX - 8)
        return weft_error(s->diag, "%s: %s would be larger than an ELF note can be", s->path, program_part_names[part]);
    uint8_t *note = own(s, calloc(1, NOTE_HEADER + padded));
    if (!note)
        return WEFT_NO_MEMORY;
    store32(note, sizeof PROGRAM_NOTE_OWNER);
    store32(note + 4, (uint32_t)length);
    store32(note + 8, part);
    memcpy(note + 12, PROGRAM_NOTE_OWNER, sizeof PROGRAM_NOTE_OWNER);
    memcpy(note + NOTE_HEADER, text, length);
    const struct section section = {.name = program_part_names[part], .type = SHT_NOTE, .align = 4, .size = NOTE_HEADER + padded, .bytes = note};
    return add_section(s, &section, NULL);
}

static enum weft_status add_json_note(struct store *s, enum program_part part)
{
    json_t *json = program_to_json(s->program, part);
    char *text = json ? json_dumps(json, JSON_INDENT(1)) : NULL;
    json_decref(json);
    if (!text)
        return weft_error(s->diag, "%s: %s cannot be written: a name is not UTF-8 or a number is beyond 2^63", s->path, program_part_names[part]);
    enum weft_status status = add_note(s, part, text);
    free(text);
    return status;
}

static enum weft_status add_notes(struct store *s)
{
    char *machine;
    enum weft_status status = weft_machine_print(&machine, &s->program->machine);
    if (status == WEFT_OK) {
        status = add_note(s, PART_MACHINE, machine);
        free(machine);
    }
    for (enum program_part part = PART_PROGRAM; status == WEFT_OK && part < PART_REMARKS; part++)
        status = add_json_note(s, part);
    if (status == WEFT_OK && s->program->notes)
        status = add_note(s, PART_REMARKS, s->program->notes);
    return status;
}

/* --- memories and symbols ------------------------------------------------------------------------------------------------------ */

struct spaces {
    size_t text, dram, host, ub;
};

static enum weft_status add_memories(struct store *s, struct spaces *out)
{
    const struct weft_program *p = s->program;
    const struct {
        const char *name;
        uint64_t size;
        size_t *index;
    } memories[] = {{".dram", p->dram_bytes, &out->dram}, {".host", p->host_bytes, &out->host}, {".ub", p->machine.ub_bytes, &out->ub}};
    enum weft_status status = WEFT_OK;
    for (size_t i = 0; status == WEFT_OK && i < sizeof memories / sizeof *memories; i++) {
        const struct section section = {.name = memories[i].name, .type = SHT_NOBITS, .align = 1, .size = memories[i].size};
        status = add_section(s, &section, memories[i].index);
    }
    return status;
}

static enum weft_status set_symbol(struct store *s, Elf64_Sym *out, const char *name, unsigned char info, size_t section, uint64_t value,
                                   uint64_t size)
{
    *out = (Elf64_Sym){.st_info = info, .st_shndx = (Elf64_Section)section, .st_value = value, .st_size = size};
    return add_text(&s->symbol_names, name, &out->st_name);
}

static enum weft_status fill_symbols(struct store *s, Elf64_Sym *symbols, const struct spaces *spaces)
{
    const struct weft_program *p = s->program;
    enum weft_status status = WEFT_OK;
    for (size_t i = 0; status == WEFT_OK && i < p->symbol_count; i++) {
        const struct weft_symbol *symbol = &p->symbols[i];
        size_t section = symbol->space == 't' ? spaces->text : symbol->space == 'w' ? spaces->dram : symbol->space == 'h' ? spaces->host : spaces->ub;
        unsigned char info = ELF64_ST_INFO(STB_LOCAL, symbol->space == 't' ? STT_FUNC : STT_OBJECT);
        status = set_symbol(s, symbols++, symbol->name, info, section, symbol->value, symbol->size);
    }
    for (size_t i = 0; status == WEFT_OK && i < p->input_count + p->output_count; i++) {
        const struct weft_tensor *tensor = i < p->input_count ? &p->inputs[i] : &p->outputs[i - p->input_count];
        status = set_symbol(s, symbols++, tensor->name, ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT), spaces->host, tensor->host, tensor->bytes);
    }
    return status;
}

/* Locals first, as ELF wants it: sh_info is the number of the first global. */
static enum weft_status add_symbols(struct store *s, const struct spaces *spaces)
{
    const struct weft_program *p = s->program;
    size_t count = 1 + p->symbol_count + p->input_count + p->output_count, strings;
    Elf64_Sym *symbols = own(s, calloc(count, sizeof *symbols));
    Elf64_Word none;
    enum weft_status status = symbols ? add_text(&s->symbol_names, "", &none) : WEFT_NO_MEMORY;
    if (status == WEFT_OK)
        status = fill_symbols(s, symbols + 1, spaces);
    if (status != WEFT_OK)
        return status;
    const struct section names = {.name = ".strtab", .type = SHT_STRTAB, .align = 1, .size = s->symbol_names.used, .bytes = s->symbol_names.bytes};
    status = add_section(s, &names, &strings);
    const struct section table = {.name = ".symtab", .type = SHT_SYMTAB, .link = (Elf64_Word)strings, .info = (Elf64_Word)(1 + p->symbol_count),
                                  .entry_size = sizeof *symbols, .align = 8, .size = count * sizeof *symbols, .bytes = symbols,
                                  .data_type = ELF_T_SYM};
    return status == WEFT_OK ? add_section(s, &table, NULL) : status;
}

/* --- the file -------------------------------------------------------------------------------------------------------------------- */

static enum weft_status begin(struct store *s, GElf_Ehdr *header)
{
    if (!gelf_newehdr(s->elf, ELFCLASS64) || !gelf_getehdr(s->elf, header))
        return elf_failed(s);
    header->e_ident[EI_DATA] = ELFDATA2LSB;
    header->e_type = ET_EXEC;
    header->e_machine = EM_NONE;
    header->e_version = EV_CURRENT;
    return gelf_update_ehdr(s->elf, header) ? WEFT_OK : elf_failed(s);
}

/* The names' own name must be among them before the section is made. */
static enum weft_status finish(struct store *s, GElf_Ehdr *header)
{
    Elf64_Word own_name;
    enum weft_status status = add_text(&s->section_names, ".shstrtab", &own_name);
    Elf_Scn *scn = status == WEFT_OK ? elf_newscn(s->elf) : NULL;
    Elf_Data *data = scn ? elf_newdata(scn) : NULL;
    GElf_Shdr section;
    if (status != WEFT_OK || !data || !gelf_getshdr(scn, &section))
        return status != WEFT_OK ? status : elf_failed(s);
    *data = (Elf_Data){.d_buf = s->section_names.bytes, .d_size = s->section_names.used, .d_align = 1, .d_version = EV_CURRENT};
    section.sh_name = own_name;
    section.sh_type = SHT_STRTAB;
    section.sh_addralign = 1;
    header->e_shstrndx = (Elf64_Half)elf_ndxscn(scn);
    if (!gelf_update_shdr(scn, &section) || !gelf_update_ehdr(s->elf, header) || elf_update(s->elf, ELF_C_WRITE) < 0)
        return elf_failed(s);
    return WEFT_OK;
}

static enum weft_status add_all(struct store *s)
{
    const struct weft_program *p = s->program;
    const struct section text = {.name = ".text", .type = SHT_PROGBITS, .flags = SHF_EXECINSTR, .align = PAGE,
                                 .size = (uint64_t)p->instructions * WEFT_WORD_BYTES, .bytes = p->text};
    struct spaces spaces;
    GElf_Ehdr header;
    enum weft_status status = begin(s, &header);
    if (status == WEFT_OK)
        status = add_section(s, &text, &spaces.text);
    if (status == WEFT_OK && p->weights)
        status = add_bytes(s, ".weights", p->weights, p->weights_bytes, 0);
    if (status == WEFT_OK && p->data)
        status = add_bytes(s, ".data", p->data, p->data_bytes, p->data_host);
    if (status == WEFT_OK)
        status = add_memories(s, &spaces);
    if (status == WEFT_OK)
        status = add_notes(s);
    if (status == WEFT_OK)
        status = add_symbols(s, &spaces);
    return status == WEFT_OK ? finish(s, &header) : status;
}

/* libelf goes back and forth in its file, which a pipe cannot: there it is made whole first, and then poured in. */
static enum weft_status pour(struct weft_aside *aside, int whole, struct weft_diag *diag)
{
    char block[1 << 16];
    enum weft_status status = WEFT_OK;
    ssize_t n;
    for (off_t at = 0; status == WEFT_OK && (n = pread(whole, block, sizeof block, at)) != 0; at += n) {
        if (n < 0)
            return weft_error(diag, "%s: cannot be written: %s", aside->name, strerror(errno));
        status = weft_aside_put(aside, block, (size_t)n, diag);
    }
    return status;
}

enum weft_status weft_program_store(const struct weft_program *program, const char *path, struct weft_diag *diag)
{
    struct store s = {.program = program, .path = path, .diag = diag};
    struct weft_aside aside;
    elf_version(EV_CURRENT);
    enum weft_status status = weft_aside_open(&aside, path, diag);
    if (status != WEFT_OK)
        return status;
    int whole = aside.path ? aside.fd : memfd_create("program", MFD_CLOEXEC);
    s.elf = whole >= 0 ? elf_begin(whole, ELF_C_WRITE, NULL) : NULL;
    status = s.elf ? add_all(&s) : elf_failed(&s);
    if (s.elf)
        elf_end(s.elf);
    while (s.owned_count)
        free(s.owned[--s.owned_count]);
    free(s.section_names.bytes);
    free(s.symbol_names.bytes);
    if (whole != aside.fd && whole >= 0) {
        status = status == WEFT_OK ? pour(&aside, whole, diag) : status;
        close(whole);
    }
    return weft_aside_close(&aside, status, diag);
}
