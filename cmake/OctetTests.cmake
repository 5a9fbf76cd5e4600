# One gtest binary per folder (src/NAME/**_test.cpp -> NAME_test), all registered with ctest.
find_package(GTest REQUIRED)
get_property(folders GLOBAL PROPERTY OCTET_FOLDERS)
foreach(name ${folders})
  file(GLOB_RECURSE tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*_test.cpp)
  octet_isa_flags(${tests})
  if(tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE octet_${name} GTest::gtest_main GTest::gmock)
    target_compile_definitions(${name}_test PRIVATE OCTET_SOURCE_DIR="${CMAKE_SOURCE_DIR}" OCTET_BINARY_DIR="${CMAKE_BINARY_DIR}")
    add_test(NAME unit.${name} COMMAND ${name}_test)
    set_tests_properties(unit.${name} PROPERTIES LABELS "unit;tiny" TIMEOUT 300)
  endif()
endforeach()

# Seconds each: `./dev test tiny` leaves them out.
set_tests_properties(unit.base unit.cpu PROPERTIES LABELS unit)

# The API's tests judge the CPU backend by the oracle.
if(TARGET api_test)
  target_link_libraries(api_test PRIVATE octet_oracle)
endif()

# tests/tools/NAME.cpp: small programs that the end-to-end scripts drive. Each links the folders whose headers it includes.
file(GLOB tools CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/tools/*.cpp)
foreach(tool ${tools})
  get_filename_component(name ${tool} NAME_WE)
  add_executable(${name} ${tool})
  file(STRINGS ${tool} includes REGEX "^#include \"[a-z]+/")
  foreach(line ${includes})
    string(REGEX REPLACE "^#include \"([a-z]+)/.*" "\\1" folder "${line}")
    target_link_libraries(${name} PRIVATE octet_${folder})
  endforeach()
endforeach()
include(OctetE2e)

# The examples against an installed tree, and the symbols of the libraries.
add_test(NAME install.runtime COMMAND ${CMAKE_SOURCE_DIR}/tests/install/run.sh ${CMAKE_BINARY_DIR} $<TARGET_FILE:write_test_plans>)
set_tests_properties(install.runtime PROPERTIES LABELS install TIMEOUT 300 ENVIRONMENT CMAKE_GENERATOR=Ninja)
