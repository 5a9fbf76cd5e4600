# The compiler (src/*.cpp over every folder) and the command line over it.
file(GLOB compiler_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/*.cpp)
add_library(octet_compiler STATIC ${compiler_sources})
target_link_libraries(octet_compiler PUBLIC octet_frontends octet_passes octet_lower octet_cpu octet_oracle octet_interp octet_profile
                      octet_text octet_image)

file(GLOB cli_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tools/octet/*.cpp)
add_executable(octet_cli ${cli_sources})
set_target_properties(octet_cli PROPERTIES OUTPUT_NAME octet)
target_link_libraries(octet_cli PRIVATE octet_compiler octet_cli11 octet_json)
# All but glibc is static, so that the binary runs on a bare Debian 12.
target_link_options(octet_cli PRIVATE -static-libgcc -static-libstdc++)
install(TARGETS octet_cli RUNTIME)
