# What programs link: octet::runtime, which loads and runs plans and has nothing of the compiler in it. Two forms of the same
# objects: liboctet_runtime.a (one relocated object: only the API's symbols are global, xxhash and fmt inside) and
# liboctet_runtime.so. `cmake --install BUILD --component runtime` installs them with headers, CMake package and pkg-config file.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(OCTET_RUNTIME_FOLDERS base numeric plan runtime cpu cuda api)
set(product_dir ${CMAKE_BINARY_DIR}/product)

set(runtime_objects)
set(runtime_targets)
foreach(folder ${OCTET_RUNTIME_FOLDERS})
  list(APPEND runtime_objects $<TARGET_OBJECTS:octet_${folder}>)
  list(APPEND runtime_targets octet_${folder})
endforeach()

add_library(octet_product_shared SHARED ${runtime_objects})
target_link_libraries(octet_product_shared PRIVATE octet_xxhash Threads::Threads ${CMAKE_DL_LIBS})
# Hidden visibility keeps octet's internals in; the script also keeps in what the standard library's templates leave behind.
target_link_options(octet_product_shared PRIVATE LINKER:--version-script=${CMAKE_SOURCE_DIR}/cmake/octet_runtime.map LINKER:-z,defs
                    LINKER:--gc-sections)
set_target_properties(octet_product_shared PROPERTIES OUTPUT_NAME octet_runtime LIBRARY_OUTPUT_DIRECTORY ${product_dir}
                      LINKER_LANGUAGE CXX VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
                      LINK_DEPENDS ${CMAKE_SOURCE_DIR}/cmake/octet_runtime.map)

set(static_archive ${product_dir}/liboctet_runtime.a)
set(static_object ${product_dir}/octet_runtime.o)
add_custom_command(
  OUTPUT ${static_archive}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${product_dir}
  COMMAND ${CMAKE_COMMAND} -E rm -f ${static_archive}
  # Groups are resolved here, or a consumer's copy of an inline function could discard ours while local symbols still name it.
  COMMAND ${CMAKE_LINKER} -r --force-group-allocation -o ${static_object} ${runtime_objects} ${octet_xxhash_ARCHIVE}
  # As in octet_runtime.map: of octet's symbols those that are not hidden; none of xxhash, fmt or std templates.
  COMMAND ${CMAKE_OBJCOPY} --localize-hidden --wildcard --keep-global-symbol=octet_* --keep-global-symbol=_ZN5octet*
          --keep-global-symbol=_ZNK5octet* --keep-global-symbol=_ZT[ISV]N5octet* ${static_object}
  COMMAND ${CMAKE_AR} qc ${static_archive} ${static_object}
  COMMAND ${CMAKE_RANLIB} ${static_archive}
  DEPENDS ${runtime_targets} ${runtime_objects}
  COMMAND_EXPAND_LISTS VERBATIM)
add_custom_target(octet_product_static ALL DEPENDS ${static_archive})

configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/octetConfig.cmake.in ${product_dir}/octetConfig.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/octet
                              PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${product_dir}/octetConfigVersion.cmake COMPATIBILITY SameMinorVersion)
file(RELATIVE_PATH OCTET_PC_INCLUDE /${CMAKE_INSTALL_LIBDIR}/pkgconfig /${CMAKE_INSTALL_INCLUDEDIR})
configure_file(${CMAKE_SOURCE_DIR}/cmake/octet.pc.in ${product_dir}/octet.pc @ONLY)
install(TARGETS octet_product_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime)
install(FILES ${static_archive} DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime)
install(FILES ${CMAKE_SOURCE_DIR}/include/octet/octet.h ${CMAKE_SOURCE_DIR}/include/octet/octet_c.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/octet COMPONENT runtime)
install(FILES ${product_dir}/octetConfig.cmake ${product_dir}/octetConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/octet COMPONENT runtime)
install(FILES ${product_dir}/octet.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT runtime)
