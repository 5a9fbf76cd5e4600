// The names that a torch pickle may use, and pickle's opcodes, shared by the reader and the writer.
#pragma once
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "numeric/dtype.h"

namespace octet {

inline constexpr std::string_view kSizeGlobal = "torch.Size", kOrderedDictGlobal = "collections.OrderedDict",
                                  kRebuildGlobal = "torch._utils._rebuild_tensor_v2";

// torch.<name> as a value.
inline constexpr std::string_view kTorchDTypes[] = {"float64",        "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2",
                                                    "float8_e8m0fnu", "int64",   "int32",   "int16",    "int8",          "uint8",
                                                    "uint16",         "uint32",  "uint64",  "bool",     "complex64",     "complex128"};

// torch.<name>Storage: how torch names the element type of a tensor's storage.
inline constexpr std::array<std::pair<std::string_view, DType>, 9> kTorchStorages{{{"torch.DoubleStorage", DType::f64},
                                                                                   {"torch.FloatStorage", DType::f32},
                                                                                   {"torch.HalfStorage", DType::f16},
                                                                                   {"torch.BFloat16Storage", DType::bf16},
                                                                                   {"torch.LongStorage", DType::i64},
                                                                                   {"torch.IntStorage", DType::i32},
                                                                                   {"torch.CharStorage", DType::i8},
                                                                                   {"torch.ByteStorage", DType::u8},
                                                                                   {"torch.BoolStorage", DType::boolean}}};
inline constexpr std::string_view kUnsupportedStorages[] = {"torch.ShortStorage", "torch.ComplexFloatStorage", "torch.ComplexDoubleStorage",
                                                            "torch.QInt8Storage", "torch.QUInt8Storage",       "torch.QInt32Storage"};

namespace pickle {
inline constexpr unsigned char kProto = 0x80, kStop = '.', kMark = '(', kNone = 'N', kTrue = 0x88, kFalse = 0x89, kBinInt = 'J',
                               kBinInt1 = 'K', kBinInt2 = 'M', kLong1 = 0x8a, kBinFloat = 'G', kBinUnicode = 'X', kEmptyTuple = ')',
                               kTuple = 't', kTuple1 = 0x85, kTuple2 = 0x86, kTuple3 = 0x87, kEmptyList = ']', kAppend = 'a',
                               kAppends = 'e', kEmptyDict = '}', kSetItem = 's', kSetItems = 'u', kBinPut = 'q', kLongBinPut = 'r',
                               kBinGet = 'h', kLongBinGet = 'j', kGlobal = 'c', kReduce = 'R', kBuild = 'b', kBinPersId = 'Q';

// The opcodes of pickle protocols 0 to 5 that are not read here, for messages.
inline constexpr std::pair<unsigned char, std::string_view> kRefused[] = {{'I', "INT"},
                                                                          {'L', "LONG"},
                                                                          {'F', "FLOAT"},
                                                                          {'S', "STRING"},
                                                                          {'T', "BINSTRING"},
                                                                          {'U', "SHORT_BINSTRING"},
                                                                          {'V', "UNICODE"},
                                                                          {'B', "BINBYTES"},
                                                                          {'C', "SHORT_BINBYTES"},
                                                                          {'l', "LIST"},
                                                                          {'d', "DICT"},
                                                                          {'0', "POP"},
                                                                          {'1', "POP_MARK"},
                                                                          {'2', "DUP"},
                                                                          {'p', "PUT"},
                                                                          {'g', "GET"},
                                                                          {'P', "PERSID"},
                                                                          {'i', "INST"},
                                                                          {'o', "OBJ"},
                                                                          {0x81, "NEWOBJ"},
                                                                          {0x82, "EXT1"},
                                                                          {0x83, "EXT2"},
                                                                          {0x84, "EXT4"},
                                                                          {0x8b, "LONG4"},
                                                                          {0x8c, "SHORT_BINUNICODE"},
                                                                          {0x8d, "BINUNICODE8"},
                                                                          {0x8e, "BINBYTES8"},
                                                                          {0x8f, "EMPTY_SET"},
                                                                          {0x90, "ADDITEMS"},
                                                                          {0x91, "FROZENSET"},
                                                                          {0x92, "NEWOBJ_EX"},
                                                                          {0x93, "STACK_GLOBAL"},
                                                                          {0x94, "MEMOIZE"},
                                                                          {0x95, "FRAME"},
                                                                          {0x96, "BYTEARRAY8"},
                                                                          {0x97, "NEXT_BUFFER"},
                                                                          {0x98, "READONLY_BUFFER"}};
}  // namespace pickle

}  // namespace octet
