resource "aws_ssm_parameter" "cloudwatch_agent_db" {
  name  = "AmazonCloudWatch-db"
  type  = "String"
  tier  = "Intelligent-Tiering"
  value = jsonencode(jsondecode(file("${path.module}/amazon-cloudwatch-agent-db.json")))
}
