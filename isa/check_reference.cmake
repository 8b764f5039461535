# Compares what GENERATOR prints with PAGE.
execute_process(COMMAND ${GENERATOR} OUTPUT_VARIABLE made RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${GENERATOR} failed: ${status}")
endif()
file(READ ${PAGE} page)
if(NOT made STREQUAL page)
  message(FATAL_ERROR "${PAGE} is stale: build the target `docs` and commit the page")
endif()
