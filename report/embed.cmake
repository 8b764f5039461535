# embed.cmake: OUT.c from the files FILES as zero-terminated arrays `const unsigned char report_embedded_NAME[]`, NAME being that of the file without
# ending. Run by the build: cmake -DOUT=... -DFILES=a;b -P embed.cmake
file(WRITE ${OUT}.new "/* made by report/embed.cmake */\n")
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME_WE)
  file(READ ${file} bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  file(APPEND ${OUT}.new "extern const unsigned char report_embedded_${name}[];\nconst unsigned char report_embedded_${name}[] = {${bytes}0};\n")
endforeach()
file(RENAME ${OUT}.new ${OUT})
