int proxy_placeholder;
