/* compress.cpp: from a named pipe, which SystemC's tracing takes for a file, to a file that may be compressed. */
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

static int reason() { return errno ? errno : EIO; }

/* Returns 0, or the number of the error. */
static int compress(int from, int to, const char *mode)
{
    char bytes[1 << 16];
    gzFile out = gzdopen(to, mode);
    int failed = out ? 0 : ENOMEM;
    for (;;) {
        ssize_t count = read(from, bytes, sizeof bytes);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && !failed)
            failed = reason();
        if (count <= 0)
            break;
        errno = 0;
        if (!failed && gzwrite(out, bytes, static_cast<unsigned>(count)) != count)
            failed = reason();
    }
    errno = 0;
    if (out && gzclose(out) != Z_OK && !failed)
        failed = reason();
    return failed;
}

weft_status compressor::make_pipe(weft_diag *diag)
{
    const char *temporary = std::getenv("TMPDIR");
    std::string name = std::string(temporary && *temporary ? temporary : "/tmp") + "/weft-wave-XXXXXX";
    if (!mkdtemp(name.data()))
        return weft_error(diag, "--wave: no temporary folder %s: %s", name.c_str(), std::strerror(errno));
    directory_ = name;
    temporaries_[0] = strdup(name.c_str());
    temporaries_[1] = strdup((name + "/wave.vcd").c_str());
    for (char *path : temporaries_)
        if (path)
            weft_temporary_add(path);
    if (!temporaries_[0] || !temporaries_[1])
        return WEFT_NO_MEMORY;
    if (mkfifo(temporaries_[1], 0600) < 0)
        return weft_error(diag, "--wave: no pipe %s: %s", temporaries_[1], std::strerror(errno));
    return WEFT_OK;
}

/* The write end stays open here until the run is over, so that the reader's end of file comes then and not sooner. */
weft_status compressor::fork_reader(weft_diag *diag)
{
    int read_end = open(temporaries_[1], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    write_end_ = open(temporaries_[1], O_WRONLY | O_CLOEXEC);
    if (read_end < 0 || write_end_ < 0) {
        int why = errno;
        if (read_end >= 0)
            close(read_end);
        return weft_error(diag, "--wave: no pipe %s: %s", temporaries_[1], std::strerror(why));
    }
    process_ = fork();
    if (process_ == 0) {
        close(write_end_);
        fcntl(read_end, F_SETFL, 0); /* wait for bytes */
        _exit(compress(read_end, file_.fd, weft_gzip_mode(file_.name)));
    }
    close(read_end);
    return process_ < 0 ? weft_error(diag, "--wave: no process: %s", std::strerror(errno)) : WEFT_OK;
}

weft_status compressor::start(const char *path, weft_diag *diag)
{
    weft_status status = weft_aside_open(&file_, path, diag);
    open_ = status == WEFT_OK;
    if (status == WEFT_OK)
        status = make_pipe(diag);
    return status == WEFT_OK ? fork_reader(diag) : status;
}

weft_status compressor::finish(weft_status run, weft_diag *diag)
{
    int how = 0;
    weft_status status = run;
    if (write_end_ >= 0)
        close(write_end_);
    write_end_ = -1;
    if (process_ >= 0) {
        while (waitpid(process_, &how, 0) < 0 && errno == EINTR)
            ;
        process_ = -1;
        if (status == WEFT_OK && WIFSIGNALED(how))
            status = weft_error(diag, "%s: cannot be written: its process was ended by signal %d", file_.name, WTERMSIG(how));
        else if (status == WEFT_OK && WEXITSTATUS(how))
            status = weft_error(diag, "%s: cannot be written: %s", file_.name, std::strerror(WEXITSTATUS(how)));
    }
    if (open_)
        status = weft_aside_close(&file_, status, diag);
    open_ = false;
    return status;
}

compressor::~compressor()
{
    finish(WEFT_ERROR, nullptr);
    for (char *path : {temporaries_[1], temporaries_[0]}) {
        if (path && unlink(path))
            rmdir(path);
        if (path && weft_temporary_forget(path))
            free(path);
    }
}

} // namespace twin
