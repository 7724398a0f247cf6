"""Pictures that steer the drawing: ControlNets, T2I-Adapters and Control-LoRAs, and what makes their maps."""
