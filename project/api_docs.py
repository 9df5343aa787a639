"""The description of the API, for people who signed in."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.permissions import IsAuthenticated


class Schema(SpectacularAPIView):
    """OpenAPI 3, as YAML or JSON."""

    permission_classes = (IsAuthenticated,)


docs = login_required(
    SpectacularSwaggerView.as_view(url_name="schema", permission_classes=[IsAuthenticated])
)
