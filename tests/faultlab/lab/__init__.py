"""The fault laboratory: a table of faults, injected into real VMs; what Vigil names is compared with what was broken."""
