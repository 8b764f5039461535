/* compress.cpp: from a named pipe, which SystemC's tracing takes for a file, to a compressed file. */
#include "wave.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

namespace twin
{

static int compress(int from, const char *path)
{
    char bytes[1 << 16];
    gzFile out = gzopen(path, "wb6");
    if (!out)
        return 1;
    for (;;) {
        ssize_t count = read(from, bytes, sizeof bytes);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            break;
        if (gzwrite(out, bytes, static_cast<unsigned>(count)) != count)
            return 1;
    }
    return gzclose(out) == Z_OK ? 0 : 1;
}

weft_status compressor::make_pipe(weft_diag *diag)
{
    const char *temporary = std::getenv("TMPDIR");
    std::string name = std::string(temporary && *temporary ? temporary : "/tmp") + "/weft-wave-XXXXXX";
    if (!mkdtemp(name.data()))
        return weft_error(diag, "--wave: no temporary folder %s: %s", name.c_str(), std::strerror(errno));
    directory_ = name;
    pipe_ = name + "/wave.vcd";
    if (mkfifo(pipe_.c_str(), 0600) < 0)
        return weft_error(diag, "--wave: no pipe %s: %s", pipe_.c_str(), std::strerror(errno));
    return WEFT_OK;
}

/* The write end stays open here until the run is over, so that the reader's end of file comes then and not sooner. */
weft_status compressor::start(const char *path, weft_diag *diag)
{
    path_ = path;
    weft_status status = make_pipe(diag);
    if (status != WEFT_OK)
        return status;
    int read_end = open(pipe_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    write_end_ = open(pipe_.c_str(), O_WRONLY | O_CLOEXEC);
    if (read_end < 0 || write_end_ < 0)
        return weft_error(diag, "--wave: no pipe %s: %s", pipe_.c_str(), std::strerror(errno));
    process_ = fork();
    if (process_ == 0) {
        close(write_end_);
        fcntl(read_end, F_SETFL, 0); /* wait for bytes */
        _exit(compress(read_end, (path_ + ".part").c_str()));
    }
    close(read_end);
    return process_ < 0 ? weft_error(diag, "--wave: no process: %s", std::strerror(errno)) : WEFT_OK;
}

weft_status compressor::finish(bool keep, weft_diag *diag)
{
    int how = 0;
    std::string part = path_ + ".part";
    if (process_ < 0)
        return WEFT_OK;
    close(write_end_);
    write_end_ = -1;
    while (waitpid(process_, &how, 0) < 0 && errno == EINTR)
        ;
    process_ = -1;
    bool good = WIFEXITED(how) && WEXITSTATUS(how) == 0;
    if (good && keep && rename(part.c_str(), path_.c_str()) == 0)
        return WEFT_OK;
    unlink(part.c_str());
    return keep ? weft_error(diag, "%s: the waveform cannot be written whole", path_.c_str()) : WEFT_OK;
}

compressor::~compressor()
{
    finish(false, nullptr);
    if (write_end_ >= 0)
        close(write_end_);
    if (!pipe_.empty())
        unlink(pipe_.c_str());
    if (!directory_.empty())
        rmdir(directory_.c_str());
}

} // namespace twin
