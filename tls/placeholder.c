int tls_placeholder; 
