//! Budget pools and their allocations: `BudgetPool` and `BudgetAllocation` of the facade.

pub(crate) mod allocation;
pub(crate) mod pool;
