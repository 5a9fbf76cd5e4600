// exp, sigmoid, erf and the GELU family over a vector of f32 lanes V (simd/f32x16_avx512.h, simd/f32x8_avx2.h). No approximate
// reciprocal is used: vendors differ in those, and results must not. Bounds below are checked in simd_test.cpp. NaN gives NaN.
#pragma once

namespace octet::cpu {
namespace {

template <class V, int N>
inline V polynomial(V x, const float (&c)[N]) {  // c[0] + c[1] x + ...
  V sum = V::set(c[N - 1]);
  for (int i = N - 2; i >= 0; --i) sum = fma(sum, x, V::set(c[i]));
  return sum;
}

// x = n ln 2 + r, |r| <= ln 2 / 2; minimax of degree 6 on r (relative error 0.03 * 2^-24). For |x| <= 128.
template <class V>
inline V exp_in_range(V x) {
  constexpr float kPoly[] = {1.f, 1.000000036f, 0.4999999208f, 0.1666642017f, 0.04166822556f, 0.008374815839f, 0.001383684636f};
  const V n = round_even(x * V::set(1.442695041f));
  V r = fnma(n, V::set(0.693145751953125f), x);  // ln 2 in two parts, the first with 9 trailing zero bits: n times it is exact
  r = fnma(n, V::set(1.428606820e-6f), r);
  return scale2(polynomial(r, kPoly), n);
}
// e^x within 1.5 ulp where the result is normal; 0 below -104, infinity above 88.73.
template <class V>
inline V exp(V x) {
  return exp_in_range(min(V::set(128.f), max(V::set(-128.f), x)));
}

// 1 / (1 + e^-x) within 3 ulp.
template <class V>
inline V sigmoid(V x) {
  return V::set(1.f) / (V::set(1.f) + exp(V::zero() - x));
}

// Upper tail of the normal distribution, Q(t) = erfc(t / sqrt 2) / 2, for t >= 0, within (t^2 / 2 + 6) * 2^-24 of itself.
// Q(t) = e^(-t^2/2) * R(1 / (1 + 0.3 t)); R is a minimax of degree 8 on t in [0, 14.5] (relative error 0.98 * 2^-24).
template <class V>
inline V normal_tail(V t) {
  constexpr float kPoly[] = {7.37236376e-6f,  0.1194842076f, 0.1219452592f,  0.09458588023f, 0.1427652309f,
                             -0.07683959103f, 0.2289517096f, -0.1693074238f, 0.03840738399f};
  t = min(V::set(15.f), t);
  const V s = V::set(1.f) / fma(t, V::set(0.3f), V::set(1.f));
  return exp_in_range(t * t * V::set(-0.5f)) * polynomial(s, kPoly);
}

// erf within 2^-21 absolute: 1 - 2 Q, and Q is good to 6 * 2^-24 of itself.
template <class V>
inline V erf(V x) {
  const V tail = normal_tail(abs(x) * V::set(1.414213562f));
  const V magnitude = fnma(V::set(2.f), tail, V::set(1.f));
  return select(less(x, V::zero()), V::zero() - magnitude, magnitude);
}

// x * sigmoid(1.702 x) within 4 ulp (OpenAI CLIP).
template <class V>
inline V quick_gelu(V x) {
  return x / (V::set(1.f) + exp(x * V::set(-1.702f)));
}
// x * Phi(x): within (x^2 / 2 + 8) * 2^-24 of itself, in the negative tail too.
template <class V>
inline V gelu_erf(V x) {
  const V tail = normal_tail(abs(x));
  return x * select(less(x, V::zero()), tail, V::set(1.f) - tail);
}
// x * sigmoid(2 * sqrt(2 / pi) * (x + 0.044715 x^3)), the tanh form.
template <class V>
inline V gelu_tanh(V x) {
  const V inner = x * fma(x * x, V::set(0.044715f * 1.595769122f), V::set(1.595769122f));
  return x / (V::set(1.f) + exp(V::zero() - inner));
}

}  // namespace
}  // namespace octet::cpu
