"""Jobs of Wattlake, one a file. The file's name is the job's name, its command and its Airflow task id."""
