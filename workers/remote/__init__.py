"""Remote backends: jobs that services elsewhere make, on the CPU worker and under the leases of servers."""
