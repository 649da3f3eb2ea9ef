"""The portal: who everybody is, and the pages people see. It speaks to the services over HTTP only."""
