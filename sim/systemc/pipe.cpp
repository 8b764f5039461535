/* pipe.cpp: whole messages over a pipe. */
#include "pipe.h"

#include <cerrno>
#include <unistd.h>

namespace twin
{

static bool write_all(int fd, const void *bytes, size_t count)
{
    const char *at = static_cast<const char *>(bytes);
    while (count > 0) {
        ssize_t done = write(fd, at, count);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        at += done;
        count -= static_cast<size_t>(done);
    }
    return true;
}

bool send(int fd, const message &header, const void *body)
{
    return write_all(fd, &header, sizeof header) && (header.bytes == 0 || write_all(fd, body, header.bytes));
}

bool receive(int fd, void *out, size_t bytes)
{
    char *at = static_cast<char *>(out);
    while (bytes > 0) {
        ssize_t done = read(fd, at, bytes);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        at += done;
        bytes -= static_cast<size_t>(done);
    }
    return true;
}

} // namespace twin
