// The two places beside an effect at which a test build can be made to end as if it were killed from outside.
//
// Shape:  `const fault::Around around(fault::Step::make_disk);` for as long as the effect takes. Does nothing unless built with VIGIL_FAULT_POINTS.
// Thread: any.
#pragma once

namespace vigil::fault {

enum class Step {
#define STEP(name, what) name,
#include "host/fault/steps.inc"
#undef STEP
};

class Around {
public:
  explicit Around(Step step);
  ~Around();
  Around(const Around&) = delete;
  Around& operator=(const Around&) = delete;

private:
  Step step_;
};

}  // namespace vigil::fault
