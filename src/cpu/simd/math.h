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

// e^x within 1.5 ulp where the result is normal; 0 below -104, infinity above 88.73.
// x = n ln 2 + r, |r| <= ln 2 / 2; minimax of degree 6 on r (relative error 0.03 * 2^-24).
template <class V>
inline V exp(V x) {
  constexpr float kPoly[] = {1.f, 1.000000036f, 0.4999999208f, 0.1666642017f, 0.04166822556f, 0.008374815839f, 0.001383684636f};
  x = min(V::set(128.f), max(V::set(-128.f), x));
  const V n = round_even(x * V::set(1.442695041f));
  V r = fnma(n, V::set(0.693145751953125f), x);  // ln 2 in two parts, the first with 9 trailing zero bits: n times it is exact
  r = fnma(n, V::set(1.428606820e-6f), r);
  return scale2(polynomial(r, kPoly), n);
}

// 1 / (1 + e^-x) within 3 ulp.
template <class V>
inline V sigmoid(V x) {
  return V::set(1.f) / (V::set(1.f) + exp(V::zero() - x));
}

// Upper tail of the normal distribution, Q(t) = erfc(t / sqrt 2) / 2, for t >= 0, within 6 ulp where it is normal.
// Q(t) = e^(-t^2/2) * R(1 / (1 + 0.3 t)); R is a minimax of degree 10 on t in [0, 14.5] (relative error 0.05 * 2^-24).
template <class V>
inline V normal_tail(V t) {
  constexpr float kPoly[] = {7.067967823e-7f, 0.1196703169f, 0.1197357113f,  0.1093010683f, 0.08175350416f, 0.08815164469f,
                             -0.06664516789f, 0.178246035f,  -0.2190825384f, 0.108888063f,  -0.02001934534f};
  t = min(V::set(20.f), t);
  const V square = t * t;
  const V lost = fma(t, t, V::zero() - square);  // t^2 = square + lost, or e^(-t^2/2) would lose t^2/2 ulp
  const V e = exp(square * V::set(-0.5f));
  const V s = V::set(1.f) / fma(t, V::set(0.3f), V::set(1.f));
  return fnma(e, lost * V::set(0.5f), e) * polynomial(s, kPoly);
}

// erf within 2^-23 absolute.
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
// x * Phi(x), relative accuracy kept in the negative tail: within 8 ulp.
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
