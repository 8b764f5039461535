# build-id.cmake: cmake -DROOT=... -DOUT=... -P: a header with a hash of every source that decides what a point of a sweep comes to.
# A hash of sources, not of the executable: two compilers, or two hosts, that build the same sources share the rows of a sweep.
file(GLOB_RECURSE sources RELATIVE ${ROOT} ${ROOT}/isa/* ${ROOT}/compiler/* ${ROOT}/sim/* ${ROOT}/report/* ${ROOT}/explore/*)
list(FILTER sources INCLUDE REGEX "\\.(c|h|def|l|y)$")
list(FILTER sources EXCLUDE REGEX "/test_[^/]*$")
list(SORT sources)
set(all "")
foreach(source ${sources})
  file(SHA256 ${ROOT}/${source} hash)
  string(APPEND all "${source} ${hash}\n")
endforeach()
string(SHA256 hash "${all}")
string(SUBSTRING ${hash} 0 12 hash)
file(WRITE ${OUT} "#define WEFT_BUILD \"${hash}\"\n")
