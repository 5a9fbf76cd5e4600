#include <gmock/gmock.h>

#include "api/testing.h"
#include "octet/octet.h"
#include "octet/octet_c.h"

namespace octet {
namespace {

using ::testing::HasSubstr;

class ApiCTest : public ::testing::Test {
 protected:
  ApiCTest() {
    plan::write(plan::testing::text_plan(), scratch / "text.plan");
    EXPECT_EQ(octet_engine_load((scratch / "text.plan").c_str(), nullptr, 1, &engine), OCTET_OK) << octet_last_error();
    EXPECT_EQ(octet_session_create(engine, &session), OCTET_OK);
  }
  ~ApiCTest() override {
    octet_session_free(session);
    octet_engine_free(engine);
  }
  plan::testing::Scratch scratch;
  octet_engine* engine = nullptr;
  octet_session* session = nullptr;
};

TEST_F(ApiCTest, DescribesAndRunsLikeTheCppApi) {
  ASSERT_EQ(octet_engine_input_count(engine), 1u);
  ASSERT_EQ(octet_engine_output_count(engine), 2u);
  octet_tensor_info in, out;
  ASSERT_EQ(octet_engine_input(engine, 0, &in), OCTET_OK);
  ASSERT_EQ(octet_engine_output(engine, 0, &out), OCTET_OK);
  EXPECT_STREQ(in.name, "input_ids");
  EXPECT_EQ(in.dtype, OCTET_I64);
  ASSERT_EQ(in.rank, 2);
  EXPECT_EQ(in.dims[0], -1);
  EXPECT_EQ(in.dims[1], 5);
  EXPECT_EQ(out.dtype, OCTET_F16);
  EXPECT_THAT(octet_engine_device(engine), HasSubstr("cpu"));

  int64_t ids[10] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  uint16_t embeds[12], unit[12];
  const octet_tensor inputs[] = {{nullptr, OCTET_I64, ids, sizeof(ids)}};
  const octet_tensor outputs[] = {{"unit", OCTET_F16, unit, sizeof(unit)}, {"text_embeds", OCTET_F16, embeds, sizeof(embeds)}};
  ASSERT_EQ(octet_session_reserve(session, 2), OCTET_OK);
  ASSERT_EQ(octet_session_run(session, 2, inputs, 1, outputs, 2), OCTET_OK) << octet_last_error();

  uint16_t embeds_cpp[12], unit_cpp[12];
  const Engine same = Engine::load((scratch / "text.plan").string());
  const TensorView in_cpp[] = {TensorView::of("input_ids", ids)};
  const TensorView out_cpp[] = {TensorView::of("text_embeds", embeds_cpp), TensorView::of("unit", unit_cpp)};
  Session(same).run(2, in_cpp, out_cpp);
  EXPECT_EQ(std::memcmp(embeds, embeds_cpp, sizeof(embeds)), 0);
  EXPECT_EQ(std::memcmp(unit, unit_cpp, sizeof(unit)), 0);
  const octet_tensor nothing[] = {{nullptr, OCTET_I64, nullptr, 0}},
                     no_outputs[] = {{nullptr, OCTET_F16, nullptr, 0}, {nullptr, OCTET_F16, nullptr, 0}};
  EXPECT_EQ(octet_session_run(session, 0, nothing, 1, no_outputs, 2), OCTET_OK);
}

TEST_F(ApiCTest, FailuresGiveCodesAndTexts) {
  octet_engine* none = engine;
  EXPECT_EQ(octet_engine_load((scratch / "no.plan").c_str(), "cpu", 0, &none), OCTET_IO);
  EXPECT_EQ(none, nullptr);
  EXPECT_THAT(octet_last_error(), HasSubstr("no.plan"));
  EXPECT_EQ(octet_engine_load((scratch / "text.plan").c_str(), "tpu", 0, &none), OCTET_USAGE);
  EXPECT_EQ(octet_engine_load((scratch / "text.plan").c_str(), "cuda:99", 0, &none), OCTET_UNSUPPORTED);
  plan::testing::spill(scratch / "bad.plan", "not a plan");
  EXPECT_EQ(octet_engine_load((scratch / "bad.plan").c_str(), "cpu", 0, &none), OCTET_INVALID);
  EXPECT_THAT(octet_last_error(), HasSubstr("fix: build it again"));

  int64_t ids[5] = {1, 2, 99, 4, 5};
  uint16_t embeds[6], unit[6];
  const octet_tensor in = {nullptr, OCTET_I64, ids, sizeof(ids)};
  const octet_tensor out[] = {{nullptr, OCTET_F16, embeds, sizeof(embeds)}, {nullptr, OCTET_F16, unit, sizeof(unit)}};
  EXPECT_EQ(octet_session_run(session, 1, &in, 1, out, 2), OCTET_INVALID);
  EXPECT_THAT(octet_last_error(), HasSubstr("token id 99 is outside the vocabulary [0, 11)"));
  EXPECT_EQ(octet_session_run(session, 1, &in, 1, out, 1), OCTET_INVALID);
  const octet_tensor odd = {nullptr, static_cast<octet_dtype>(12), ids, sizeof(ids)};
  EXPECT_EQ(octet_session_run(session, 1, &odd, 1, out, 2), OCTET_USAGE);
}

TEST_F(ApiCTest, NullArgumentsAreRefused) {
  octet_tensor_info info;
  octet_session* other = nullptr;
  octet_engine* none = nullptr;
  EXPECT_EQ(octet_engine_load(nullptr, nullptr, 0, &none), OCTET_USAGE);
  EXPECT_EQ(octet_engine_load("x", nullptr, 0, nullptr), OCTET_USAGE);
  EXPECT_EQ(octet_engine_input(nullptr, 0, &info), OCTET_USAGE);
  EXPECT_EQ(octet_engine_input(engine, 1, &info), OCTET_USAGE);
  EXPECT_EQ(octet_engine_output(engine, 0, nullptr), OCTET_USAGE);
  EXPECT_EQ(octet_engine_input_count(nullptr), 0u);
  EXPECT_STREQ(octet_engine_device(nullptr), "");
  EXPECT_EQ(octet_session_create(nullptr, &other), OCTET_USAGE);
  EXPECT_EQ(octet_session_create(engine, nullptr), OCTET_USAGE);
  EXPECT_EQ(octet_session_reserve(nullptr, 1), OCTET_USAGE);
  EXPECT_EQ(octet_session_run(nullptr, 1, nullptr, 0, nullptr, 0), OCTET_USAGE);
  EXPECT_EQ(octet_session_run(session, 1, nullptr, 1, nullptr, 0), OCTET_USAGE);
  octet_session_free(nullptr);
  octet_engine_free(nullptr);
}

TEST_F(ApiCTest, SessionsKeepTheirEngine) {
  octet_engine_free(engine);
  engine = nullptr;
  int64_t ids[5] = {};
  uint16_t embeds[6], unit[6];
  const octet_tensor in = {nullptr, OCTET_I64, ids, sizeof(ids)};
  const octet_tensor out[] = {{nullptr, OCTET_F16, embeds, sizeof(embeds)}, {nullptr, OCTET_F16, unit, sizeof(unit)}};
  EXPECT_EQ(octet_session_run(session, 1, &in, 1, out, 2), OCTET_OK);
}

TEST(ApiC, Version) { EXPECT_EQ(octet_version(), version()); }

}  // namespace
}  // namespace octet
