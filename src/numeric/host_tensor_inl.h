// Template members of HostTensor.
#pragma once
#include <cstring>

#include "base/error.h"

namespace octet {

template <class T>
HostTensor HostTensor::of(DType dtype, std::vector<int64_t> dims, std::span<const T> values) {
  HostTensor tensor(dtype, std::move(dims));
  OCTET_CHECK(sizeof(T) == size_of(dtype) && tensor.count() == static_cast<int64_t>(values.size()), tensor.count(), values.size());
  if (!values.empty()) std::memcpy(tensor.mutable_data(), values.data(), values.size_bytes());
  return tensor;
}

template <class T>
std::span<const T> HostTensor::as() const {
  OCTET_CHECK(sizeof(T) == size_of(dtype_), name_of(dtype_));
  return {reinterpret_cast<const T*>(data_), static_cast<size_t>(count_)};
}

template <class T>
std::span<T> HostTensor::mut() {
  OCTET_CHECK(sizeof(T) == size_of(dtype_), name_of(dtype_));
  return {reinterpret_cast<T*>(mutable_data()), static_cast<size_t>(count_)};
}

}  // namespace octet
