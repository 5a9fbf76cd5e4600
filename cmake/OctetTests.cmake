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

# The CUDA backend's tests: where there is a GPU on that, and everywhere on a driver without one. Kernels compiled once are kept.
add_library(fake_cuda SHARED ${CMAKE_SOURCE_DIR}/tests/fake_cuda/libcuda.cpp)
set_target_properties(fake_cuda PROPERTIES OUTPUT_NAME cuda SOVERSION 1 LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fake_cuda)
add_dependencies(cuda_test fake_cuda)
find_path(OCTET_CUDA_INCLUDE cuda.h PATHS /usr/local/cuda/include)
if(OCTET_CUDA_INCLUDE)
  target_include_directories(cuda_test SYSTEM PRIVATE ${OCTET_CUDA_INCLUDE})
endif()
set(cuda_test_environment OCTET_CACHE_DIR=${CMAKE_BINARY_DIR}/cuda_cache VIRTUAL_ENV=${CMAKE_SOURCE_DIR}/build/venv)
set_tests_properties(unit.cuda PROPERTIES ENVIRONMENT "${cuda_test_environment}" LABELS unit)
add_test(NAME unit.cuda.fake COMMAND cuda_test --gtest_filter=CudaBackendTest.*)
set_tests_properties(unit.cuda.fake PROPERTIES LABELS unit TIMEOUT 300 ENVIRONMENT "${cuda_test_environment};OCTET_CUDA_PATH=${CMAKE_BINARY_DIR}/fake_cuda")

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

# Every operation on every backend of a machine, judged by the oracle: one file that runs anywhere.
file(GLOB conformance CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/conformance/*.cpp)
add_executable(octet_conformance ${conformance})
target_link_libraries(octet_conformance PRIVATE octet_cpu octet_cuda octet_oracle GTest::gtest)
target_link_options(octet_conformance PRIVATE -static-libstdc++ -static-libgcc)
add_test(NAME conformance COMMAND octet_conformance)
set_tests_properties(conformance PROPERTIES LABELS conformance TIMEOUT 1800)

# The examples against an installed tree, and the symbols of the libraries.
add_test(NAME install.runtime COMMAND ${CMAKE_SOURCE_DIR}/tests/install/run.sh ${CMAKE_BINARY_DIR} $<TARGET_FILE:write_test_plans>)
set_tests_properties(install.runtime PROPERTIES LABELS install TIMEOUT 300 ENVIRONMENT CMAKE_GENERATOR=Ninja)
