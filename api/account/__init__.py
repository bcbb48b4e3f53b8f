"""Operations on keys, and the usage of a tenant."""
