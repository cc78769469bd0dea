"""Makes django-helpdesk's tables, one queue and one agent, whose token is printed."""

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from helpdesk.models import Queue  # noqa: E402
from rest_framework.authtoken.models import Token  # noqa: E402

call_command("migrate", verbosity=0, interactive=False)
Queue.objects.create(title="Complaints", slug="complaints")
agent = get_user_model().objects.create_user("bench", "bench@example.com", is_staff=True, is_superuser=True)
print(Token.objects.create(user=agent).key)
