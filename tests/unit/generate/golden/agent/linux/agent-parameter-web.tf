resource "aws_ssm_parameter" "cloudwatch_agent_web" {
  name  = "AmazonCloudWatch-web"
  type  = "String"
  tier  = "Intelligent-Tiering"
  value = jsonencode(jsondecode(file("${path.module}/amazon-cloudwatch-agent-web.json")))
}
