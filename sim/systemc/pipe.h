/* pipe.h: messages from the process that runs a twin to the one that asked for it. */
#ifndef WEFT_TWIN_PIPE_H
#define WEFT_TWIN_PIPE_H

#include <cstddef>
#include <cstdint>

namespace twin
{

struct message {
    enum kind : uint32_t {
        EVENT,    /* struct weft_event; its instr is NULL */
        PROGRESS, /* nothing: `where` is the position */
        MEMORY,   /* bytes of space `what` from `where` on */
        LAYERS,   /* struct weft_counters of all layers */
        END,      /* a struct ending */
        FAULT     /* the text, without a zero */
    } kind;
    uint32_t what;
    uint64_t where, bytes;
};

/* What the frame keeps of a run that is over. */
struct ending;

/* False: the other side is gone. */
bool send(int fd, const message &header, const void *body);
bool receive(int fd, void *out, size_t bytes);

} // namespace twin

#endif
